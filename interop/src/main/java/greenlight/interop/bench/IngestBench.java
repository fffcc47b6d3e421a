package greenlight.interop.bench;

import com.netflix.hollow.api.producer.HollowProducer;
import com.netflix.hollow.api.producer.fs.HollowFilesystemPublisher;
import com.netflix.hollow.api.producer.fs.HollowInMemoryBlobStager;
import com.netflix.hollow.core.write.objectmapper.HollowPrimaryKey;
import com.netflix.hollow.core.write.objectmapper.RecordPrimaryKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * The peer of the ingest bench: the stock Kafka client, Avro and {@code HollowProducer.Incremental}. As ours it keeps the
 * greatest source version of each key and drops what is older.
 *
 * <p>{@code ingest BOOTSTRAP TOPIC SCHEMA_FILE DIRECTORY KEYS CYCLES RECORDS}: the first state takes {@code KEYS} records,
 * then each cycle as many as it should. Prints the time of each cycle, in milliseconds.
 */
public final class IngestBench {
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final GenericDatumReader<GenericRecord> reader;
    private final Map<Long, Long> sourceVersions = new HashMap<>();
    private final List<ConsumerRecord<byte[], byte[]>> left = new ArrayList<>();
    private BinaryDecoder decoder;
    private GenericRecord reused;

    /** A video's rights, as the object mapper takes them. */
    @HollowPrimaryKey(fields = "video")
    static final class Rights {
        long video;
        List<RightsWindow> windows;
    }

    /** A window of a contract. */
    static final class RightsWindow {
        String contract;
        long start;
        long end;
        Set<String> countries;
        String provenance;
    }

    private IngestBench(String bootstrap, String topic, Schema schema) {
        consumer = new KafkaConsumer<>(
                Map.of(
                        "bootstrap.servers", bootstrap,
                        "enable.auto.commit", false,
                        "isolation.level", "read_committed",
                        "max.poll.records", 10_000,
                        "max.partition.fetch.bytes", 4 << 20),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
        reader = new GenericDatumReader<>(schema);
        List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(partition -> new TopicPartition(topic, partition.partition()))
                .collect(Collectors.toList());
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
    }

    /**
     * Runs the bench.
     *
     * @param args see the class
     * @throws IOException where a record can't be decoded
     */
    public static void run(String[] args) throws IOException {
        Schema schema = new Schema.Parser().parse(Path.of(args[2]).toFile());
        IngestBench bench = new IngestBench(args[0], args[1], schema);
        HollowProducer.Incremental producer = HollowProducer.withPublisher(new HollowFilesystemPublisher(Path.of(args[3])))
                .withBlobStager(new HollowInMemoryBlobStager())
                .withNumStatesBetweenSnapshots(20)
                .buildIncremental();
        producer.initializeDataModel(Rights.class);
        bench.cycle(producer, Integer.parseInt(args[4]));
        int records = Integer.parseInt(args[6]);
        for (int cycle = 0; cycle < Integer.parseInt(args[5]); cycle++) {
            long started = System.nanoTime();
            bench.cycle(producer, records);
            System.out.println((System.nanoTime() - started) / 1e6);
        }
    }

    private void cycle(HollowProducer.Incremental producer, int records) throws IOException {
        List<ConsumerRecord<byte[], byte[]>> batch = take(records);
        producer.runIncrementalCycle(state -> {
            for (ConsumerRecord<byte[], byte[]> record : batch) {
                String key = new String(record.key(), StandardCharsets.UTF_8);
                long video = Long.parseLong(key, 1, key.length() - 1, 10);
                Header header = record.headers().lastHeader("gl-source-version");
                long version = Long.parseLong(new String(header.value(), StandardCharsets.UTF_8));
                Long known = sourceVersions.get(video);
                if (known != null && known >= version) {
                    continue;
                }
                sourceVersions.put(video, version);
                if (record.value() == null) {
                    state.delete(new RecordPrimaryKey("Rights", new Object[] {video}));
                } else {
                    state.addOrModify(decode(record.value()));
                }
            }
        });
    }

    /** The next records of the topic: as many as asked for, since the bench has written them. */
    private List<ConsumerRecord<byte[], byte[]>> take(int records) {
        while (left.size() < records) {
            consumer.poll(Duration.ofSeconds(1)).forEach(left::add);
        }
        List<ConsumerRecord<byte[], byte[]>> taken = new ArrayList<>(left.subList(0, records));
        left.subList(0, records).clear();
        return taken;
    }

    private Rights decode(byte[] value) throws IOException {
        // Five bytes of the schema registry's framing come first.
        decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, decoder);
        reused = reader.read(reused, decoder);
        Rights rights = new Rights();
        rights.video = (Long) reused.get("video");
        rights.windows = new ArrayList<>();
        for (Object element : (Iterable<?>) reused.get("windows")) {
            GenericRecord from = (GenericRecord) element;
            RightsWindow window = new RightsWindow();
            window.contract = from.get("contract").toString();
            window.start = (Long) from.get("start");
            Object end = from.get("end");
            window.end = end == null ? Long.MAX_VALUE : (Long) end;
            window.countries = new HashSet<>();
            for (Object country : (Iterable<?>) from.get("countries")) {
                window.countries.add(country.toString());
            }
            window.provenance = from.get("provenance").toString();
            rights.windows.add(window);
        }
        return rights;
    }
}
