//! TLS and SASL: a broker that wants both, with a certificate that we make.

use changelog::{ChangeLog, Error, KafkaLog, KafkaOptions, KafkaSasl, KafkaTls, TopicSpec};
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};
use std::path::Path;
use tests_servers::Kafka;

/// Writes a key and a certificate for 127.0.0.1 that it signs itself: `cert.pem`, and both as `broker.pem`.
fn certificate(dir: &Path) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "broker").unwrap();
    let name = name.build();
    let mut cert = X509::builder().unwrap();
    cert.set_version(2).unwrap();
    cert.set_subject_name(&name).unwrap();
    cert.set_issuer_name(&name).unwrap();
    cert.set_pubkey(&key).unwrap();
    cert.set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    cert.set_not_after(&Asn1Time::days_from_now(2).unwrap())
        .unwrap();
    let address = SubjectAlternativeName::new()
        .ip("127.0.0.1")
        .build(&cert.x509v3_context(None, None))
        .unwrap();
    cert.append_extension(address).unwrap();
    cert.sign(&key, MessageDigest::sha256()).unwrap();
    let cert = cert.build().to_pem().unwrap();
    let key = key.private_key_to_pem_pkcs8().unwrap();
    std::fs::write(dir.join("cert.pem"), &cert).unwrap();
    std::fs::write(dir.join("broker.pem"), [key, cert].concat()).unwrap();
}

#[test]
fn tls_and_sasl_let_in_whom_they_should() {
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path());
    let kafka = Kafka::start_with(&format!(
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:SASL_SSL\n\
         sasl.enabled.mechanisms=PLAIN\n\
         sasl.mechanism.inter.broker.protocol=PLAIN\n\
         ssl.keystore.type=PEM\n\
         ssl.keystore.location={0}/broker.pem\n\
         ssl.truststore.type=PEM\n\
         ssl.truststore.location={0}/cert.pem\n\
         listener.name.plaintext.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"broker\" password=\"b\" user_broker=\"b\" user_greenlight=\"right\";",
        dir.path().display()
    ))
    .unwrap();
    let mut options = KafkaOptions::new(&kafka.bootstrap());
    options.budget_ms = 30_000;
    options.tls = Some(KafkaTls {
        ca: Some(dir.path().join("cert.pem")),
        ..KafkaTls::default()
    });
    let sasl = |password: &str| {
        Some(KafkaSasl {
            mechanism: "PLAIN".to_owned(),
            username: "greenlight".to_owned(),
            password: password.to_owned(),
        })
    };
    options.sasl = sasl("right");
    let log = KafkaLog::connect(options.clone()).unwrap();
    log.create_topic(&TopicSpec::new("secret", 1)).unwrap();
    log.append("secret", &[super::keyed(1)]).unwrap();
    assert_eq!(super::read_all(&log, "secret").len(), 1);

    options.sasl = sasl("wrong");
    let error = KafkaLog::connect(options.clone()).err().unwrap();
    assert!(matches!(error, Error::KafkaRefused { .. }), "{error}");
    assert!(!error.to_string().contains("wrong"), "{error}");

    // A broker whose certificate nobody vouches for.
    options.sasl = sasl("right");
    options.tls = Some(KafkaTls::default());
    let error = KafkaLog::connect(options).err().unwrap();
    assert!(matches!(error, Error::KafkaRefused { .. }), "{error}");
}
