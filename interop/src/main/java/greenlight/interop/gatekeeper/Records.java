package greenlight.interop.gatekeeper;

import com.netflix.hollow.core.read.engine.HollowReadStateEngine;
import com.netflix.hollow.core.read.engine.list.HollowListTypeReadState;
import com.netflix.hollow.core.read.engine.map.HollowMapTypeReadState;
import com.netflix.hollow.core.read.engine.object.HollowObjectTypeReadState;
import com.netflix.hollow.core.read.engine.set.HollowSetTypeReadState;
import com.netflix.hollow.core.read.iterator.HollowMapEntryOrdinalIterator;
import com.netflix.hollow.core.read.iterator.HollowOrdinalIterator;
import java.util.BitSet;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/** The records of one input, by its type states: fields by position, nothing generated, no objects. */
final class Records {
    final HollowReadStateEngine engine;
    final HollowObjectTypeReadState root;

    Records(HollowReadStateEngine engine, String type) {
        this.engine = engine;
        root = object(type);
    }

    HollowObjectTypeReadState object(String type) {
        return (HollowObjectTypeReadState) engine.getTypeState(type);
    }

    HollowListTypeReadState list(String type) {
        return (HollowListTypeReadState) engine.getTypeState(type);
    }

    HollowMapTypeReadState map(String type) {
        return (HollowMapTypeReadState) engine.getTypeState(type);
    }

    int field(String name) {
        return root.getSchema().getPosition(name);
    }

    /** What the last refresh removed, whose data can still be read, and then what it added; after a snapshot, everything. */
    void changes(boolean isFirst, IntConsumer removed, IntConsumer added) {
        BitSet now = root.getPopulatedOrdinals();
        BitSet before = isFirst ? new BitSet() : root.getPreviousOrdinals();
        for (int ordinal = before.nextSetBit(0); ordinal >= 0; ordinal = before.nextSetBit(ordinal + 1)) {
            if (!now.get(ordinal)) {
                removed.accept(ordinal);
            }
        }
        for (int ordinal = now.nextSetBit(0); ordinal >= 0; ordinal = now.nextSetBit(ordinal + 1)) {
            if (!before.get(ordinal)) {
                added.accept(ordinal);
            }
        }
    }

    /** The strings of a {@code SetOfString}, or of a {@code ListOfString}. */
    void strings(int ordinal, String collection, Consumer<String> each) {
        HollowObjectTypeReadState strings = object("String");
        HollowOrdinalIterator elements = collection.equals("ListOfString")
                ? list(collection).ordinalIterator(ordinal)
                : ((HollowSetTypeReadState) engine.getTypeState(collection)).ordinalIterator(ordinal);
        for (int at = elements.next(); at != HollowOrdinalIterator.NO_MORE_ORDINALS; at = elements.next()) {
            each.accept(strings.readString(at, 0));
        }
    }

    /** Key and value ordinals of a map. */
    HollowMapEntryOrdinalIterator entries(String type, int ordinal) {
        return map(type).ordinalIterator(ordinal);
    }
}
