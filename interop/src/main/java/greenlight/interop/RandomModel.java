package greenlight.interop;

import com.netflix.hollow.core.schema.HollowListSchema;
import com.netflix.hollow.core.schema.HollowMapSchema;
import com.netflix.hollow.core.schema.HollowObjectSchema;
import com.netflix.hollow.core.schema.HollowObjectSchema.FieldType;
import com.netflix.hollow.core.schema.HollowSchema;
import com.netflix.hollow.core.schema.HollowSetSchema;
import com.netflix.hollow.core.write.HollowListWriteRecord;
import com.netflix.hollow.core.write.HollowMapWriteRecord;
import com.netflix.hollow.core.write.HollowObjectWriteRecord;
import com.netflix.hollow.core.write.HollowSetWriteRecord;
import com.netflix.hollow.core.write.HollowWriteRecord;
import com.netflix.hollow.core.write.HollowWriteStateEngine;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Random schemas and random data for them: every field type, every kind of collection, references down to earlier
 * types. All draws come from the seed, so that a failing chain can be written again.
 */
final class RandomModel {
    /** A record: its values are a function of the seed; its references are other records. */
    private record Item(int type, long seed, List<Item> references) {}

    /** Every second field, from the first, is never null and may be a key: Hollow's writer does not hash nulls. */
    private static final int KEY_FIELD_STEP = 2;

    private final SplittableRandom random;
    private final List<HollowSchema> schemas = new ArrayList<>();
    private final List<List<Item>> live = new ArrayList<>();

    RandomModel(long seed) {
        random = new SplittableRandom(seed);
        leaves();
        collections();
        roots();
        for (int type = 0; type < schemas.size(); type++) {
            live.add(new ArrayList<>());
        }
    }

    HollowSchema[] schemas() {
        return schemas.toArray(new HollowSchema[0]);
    }

    /** Objects without references; the first has every field type. */
    private void leaves() {
        FieldType[] values = {FieldType.INT, FieldType.LONG, FieldType.BOOLEAN, FieldType.FLOAT, FieldType.DOUBLE,
                FieldType.STRING, FieldType.BYTES};
        int leaves = 2 + random.nextInt(3);
        for (int leaf = 0; leaf < leaves; leaf++) {
            int fields = leaf == 0 ? values.length : 1 + random.nextInt(5);
            HollowObjectSchema schema = new HollowObjectSchema("Leaf" + leaf, fields);
            for (int field = 0; field < fields; field++) {
                FieldType type = leaf == 0 ? values[field] : values[random.nextInt(values.length)];
                schema.addField("f" + field, type);
            }
            schemas.add(schema);
        }
    }

    /** Lists, sets and maps of earlier types, collections of collections among them; some with hash keys. */
    private void collections() {
        int collections = 3 + random.nextInt(4);
        for (int i = 0; i < collections; i++) {
            int kind = i < 3 ? i : random.nextInt(3);
            HollowSchema element = schemas.get(random.nextInt(schemas.size()));
            String name = element.getName();
            String[] key = element instanceof HollowObjectSchema object && random.nextBoolean()
                    ? new String[] {keyField(object)}
                    : new String[0];
            schemas.add(switch (kind) {
                case 0 -> new HollowListSchema("List" + i, name);
                case 1 -> new HollowSetSchema("Set" + i, name, key);
                default -> new HollowMapSchema("Map" + i, name,
                        schemas.get(random.nextInt(schemas.size())).getName(), key);
            });
        }
    }

    /** Objects that refer to all sorts of types, with a primary key. */
    private void roots() {
        int below = schemas.size();
        int roots = 1 + random.nextInt(2);
        for (int root = 0; root < roots; root++) {
            int references = 2 + random.nextInt(4);
            HollowObjectSchema schema = new HollowObjectSchema("Root" + root, 2 + references, "id");
            schema.addField("id", FieldType.LONG);
            schema.addField("name", FieldType.STRING);
            for (int i = 0; i < references; i++) {
                schema.addField("r" + i, FieldType.REFERENCE, schemas.get(random.nextInt(below)).getName());
            }
            schemas.add(schema);
        }
    }

    private String keyField(HollowObjectSchema object) {
        int candidates = (object.numFields() + KEY_FIELD_STEP - 1) / KEY_FIELD_STEP;
        return object.getFieldName(random.nextInt(candidates) * KEY_FIELD_STEP);
    }

    private int typeOf(String name) {
        for (int type = 0; type < schemas.size(); type++) {
            if (schemas.get(type).getName().equals(name)) {
                return type;
            }
        }
        throw new IllegalArgumentException("no type " + name);
    }

    /** Removes, changes and adds records; now and then the data grows or shrinks several times over. */
    void step() {
        int mood = random.nextInt(16);
        for (int type = 0; type < schemas.size(); type++) {
            List<Item> items = live.get(type);
            int removed = mood == 0 ? items.size() * 3 / 4 : random.nextInt(1 + items.size() / 8);
            for (int i = 0; i < removed; i++) {
                items.remove(random.nextInt(items.size()));
            }
            int changed = random.nextInt(1 + items.size() / 8);
            for (int i = 0; i < changed; i++) {
                items.set(random.nextInt(items.size()), item(type));
            }
            int added = mood == 1 ? 200 : items.size() > 400 ? 0 : random.nextInt(12);
            for (int i = 0; i < added; i++) {
                items.add(item(type));
            }
        }
    }

    private Item item(int type) {
        HollowSchema schema = schemas.get(type);
        List<Item> references = new ArrayList<>();
        if (schema instanceof HollowObjectSchema object) {
            for (int field = 0; field < object.numFields(); field++) {
                if (object.getFieldType(field) == FieldType.REFERENCE) {
                    references.add(random.nextInt(8) == 0 ? null : some(typeOf(object.getReferencedType(field))));
                }
            }
        } else {
            int size = random.nextInt(8) == 0 ? random.nextInt(40) : random.nextInt(5);
            for (int i = 0; i < size; i++) {
                if (schema instanceof HollowListSchema list) {
                    references.add(some(typeOf(list.getElementType())));
                } else if (schema instanceof HollowSetSchema set) {
                    references.add(some(typeOf(set.getElementType())));
                } else if (schema instanceof HollowMapSchema map) {
                    references.add(some(typeOf(map.getKeyType())));
                    references.add(some(typeOf(map.getValueType())));
                }
            }
        }
        return new Item(type, random.nextLong(), references);
    }

    /** A record to refer to: mostly one that is there already. */
    private Item some(int type) {
        List<Item> items = live.get(type);
        return items.isEmpty() || random.nextInt(10) == 0 ? item(type) : items.get(random.nextInt(items.size()));
    }

    /** Adds everything live to the state, references first. */
    void addTo(HollowWriteStateEngine engine) {
        Map<Item, Integer> ordinals = new IdentityHashMap<>();
        for (List<Item> items : live) {
            for (Item item : items) {
                add(item, engine, ordinals);
            }
        }
    }

    private int add(Item item, HollowWriteStateEngine engine, Map<Item, Integer> ordinals) {
        Integer known = ordinals.get(item);
        if (known != null) {
            return known;
        }
        int[] references = new int[item.references().size()];
        for (int i = 0; i < references.length; i++) {
            Item reference = item.references().get(i);
            references[i] = reference == null ? -1 : add(reference, engine, ordinals);
        }
        HollowSchema schema = schemas.get(item.type());
        int ordinal = engine.add(schema.getName(), record(schema, item.seed(), references));
        ordinals.put(item, ordinal);
        return ordinal;
    }

    private static HollowWriteRecord record(HollowSchema schema, long seed, int[] references) {
        if (schema instanceof HollowObjectSchema object) {
            return object(object, new SplittableRandom(seed), references);
        }
        if (schema instanceof HollowListSchema) {
            HollowListWriteRecord list = new HollowListWriteRecord();
            for (int ordinal : references) {
                list.addElement(ordinal);
            }
            return list;
        }
        if (schema instanceof HollowSetSchema) {
            HollowSetWriteRecord set = new HollowSetWriteRecord();
            java.util.Arrays.stream(references).distinct().forEach(set::addElement);
            return set;
        }
        HollowMapWriteRecord map = new HollowMapWriteRecord();
        java.util.Set<Integer> keys = new java.util.HashSet<>();
        for (int i = 0; i < references.length; i += 2) {
            if (keys.add(references[i])) {
                map.addEntry(references[i], references[i + 1]);
            }
        }
        return map;
    }

    private static HollowObjectWriteRecord object(HollowObjectSchema schema, SplittableRandom random, int[] references) {
        HollowObjectWriteRecord record = new HollowObjectWriteRecord(schema);
        int reference = 0;
        for (int field = 0; field < schema.numFields(); field++) {
            String name = schema.getFieldName(field);
            if (schema.getFieldType(field) == FieldType.REFERENCE) {
                int ordinal = references[reference++];
                if (ordinal >= 0) {
                    record.setReference(name, ordinal);
                }
                continue;
            }
            // A field that is not set is null; setNull would store something else for STRING and BYTES.
            if (random.nextInt(10) == 0 && field % KEY_FIELD_STEP != 0) {
                continue;
            }
            boolean extreme = random.nextInt(20) == 0;
            switch (schema.getFieldType(field)) {
                case INT -> record.setInt(name, extreme ? random.nextInt() : random.nextInt(-50, 5000));
                case LONG -> record.setLong(name, extreme ? random.nextLong() : random.nextLong(0, 100_000));
                case BOOLEAN -> record.setBoolean(name, random.nextBoolean());
                // No NaN: stock Hollow restores it as null, so that its own reverse delta fails its own check.
                case FLOAT -> record.setFloat(name, extreme ? Float.POSITIVE_INFINITY : (float) random.nextDouble());
                case DOUBLE -> record.setDouble(name, extreme ? Double.NEGATIVE_INFINITY : random.nextDouble());
                case STRING -> record.setString(name, text(random, extreme));
                default -> {
                    byte[] bytes = new byte[random.nextInt(extreme ? 300 : 10)];
                    random.nextBytes(bytes);
                    record.setBytes(name, bytes);
                }
            }
        }
        return record;
    }

    private static String text(SplittableRandom random, boolean wide) {
        StringBuilder text = new StringBuilder();
        int length = random.nextInt(wide ? 60 : 12);
        for (int i = 0; i < length; i++) {
            text.append((char) (wide ? random.nextInt(0x10000) : random.nextInt('a', 'z' + 1)));
        }
        return text.toString();
    }
}
