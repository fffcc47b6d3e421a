package greenlight.interop.emit;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * How an upstream team emits change records with nothing of Greenlight's: the stock Kafka client, Avro, and a schema
 * registry. It emits one video's rights, changes them, and deletes another's.
 *
 * <pre>java -cp 'interop.jar:lib/*' greenlight.interop.emit.EmitRights KAFKA:9092 http://REGISTRY:8081 rights.avsc rights</pre>
 */
public final class EmitRights {
    private final KafkaProducer<byte[], byte[]> producer;
    private final String topic;
    private final Schema schema;
    private final int schemaId;
    private final List<Future<RecordMetadata>> sent = new ArrayList<>();

    private EmitRights(KafkaProducer<byte[], byte[]> producer, String topic, Schema schema, int schemaId) {
        this.producer = producer;
        this.topic = topic;
        this.schema = schema;
        this.schemaId = schemaId;
    }

    public static void main(String[] args) throws Exception {
        if (args.length != 4) {
            System.err.println("usage: EmitRights BOOTSTRAP REGISTRY_URL SCHEMA_FILE TOPIC");
            System.exit(2);
        }
        String text = Files.readString(Path.of(args[2]));
        int schemaId = register(args[1], args[3] + "-value", text);
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", args[0],
                // A record that is acknowledged is in the next state. Retries neither repeat nor reorder.
                "acks", "all",
                "enable.idempotence", true,
                "linger.ms", 10);
        // The default partitioner hashes the key's bytes by murmur2, as it should.
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            EmitRights rights = new EmitRights(producer, args[3], new Schema.Parser().parse(text), schemaId);
            rights.emit(80057281, 1, List.of("US", "DE"));
            rights.emit(80057281, 2, List.of("US", "DE", "JP"));
            rights.emit(70153404, 3, List.of("FR"));
            rights.delete(70153404, 4);
            for (Future<RecordMetadata> delivery : rights.sent) {
                RecordMetadata at = delivery.get();
                System.out.println(at.topic() + " " + at.partition() + " " + at.offset());
            }
        }
    }

    /** The row as it is now. The source's version of it grows with every change: a log sequence number, or a time in µs. */
    private void emit(long video, long sourceVersion, List<String> countries) throws IOException {
        Schema windowSchema = schema.getField("windows").schema().getElementType();
        GenericRecord window = new GenericData.Record(windowSchema);
        window.put("contract", "C-1");
        window.put("start", 1_600_000_000_000L);
        window.put("end", null);
        window.put("countries", countries);
        window.put("languages", null);
        Schema provenance = windowSchema.getField("provenance").schema();
        window.put("provenance", new GenericData.EnumSymbol(provenance, "real"));
        GenericRecord row = new GenericData.Record(schema);
        row.put("video", video);
        row.put("windows", List.of(window));
        send(video, sourceVersion, encode(row));
    }

    /** The row is gone: a record without a value. */
    private void delete(long video, long sourceVersion) {
        send(video, sourceVersion, null);
    }

    private void send(long video, long sourceVersion, byte[] value) {
        // The key fields as a JSON array without spaces.
        byte[] key = ("[" + video + "]").getBytes(StandardCharsets.UTF_8);
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, key, value);
        record.headers().add("gl-source-version", Long.toString(sourceVersion).getBytes(StandardCharsets.UTF_8));
        sent.add(producer.send(record));
    }

    /** The registry's wire format: a zero, the schema's id in four bytes, then Avro. */
    private byte[] encode(GenericRecord row) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream header = new DataOutputStream(bytes);
        header.writeByte(0);
        header.writeInt(schemaId);
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
        new GenericDatumWriter<GenericRecord>(schema).write(row, encoder);
        encoder.flush();
        return bytes.toByteArray();
    }

    /** Registers the schema under the topic's subject; one that is there already keeps its id. */
    private static int register(String registry, String subject, String schema)
            throws IOException, InterruptedException {
        String quoted = schema.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n").replace("\t", "\\t");
        HttpRequest request = HttpRequest.newBuilder(URI.create(registry + "/subjects/" + subject + "/versions"))
                .header("Content-Type", "application/vnd.schemaregistry.v1+json")
                .POST(HttpRequest.BodyPublishers.ofString("{\"schema\": \"" + quoted + "\"}"))
                .build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        Matcher id = Pattern.compile("\"id\"\\s*:\\s*(\\d+)").matcher(answer.body());
        if (answer.statusCode() != 200 || !id.find()) {
            throw new IOException("register " + subject + ": " + answer.statusCode() + " " + answer.body());
        }
        return Integer.parseInt(id.group(1));
    }
}
