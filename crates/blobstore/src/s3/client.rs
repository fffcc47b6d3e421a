//! AWS's client, set up as the options say.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;

use super::S3Options;

/// A client without retries of its own. Checksums (CRC32) are sent with every write and validated on every whole read, as
/// the client does by default.
pub(super) async fn client(options: &S3Options) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(options.connect_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    let elsewhere = options.endpoint.as_ref().map(|_| "us-east-1".to_owned());
    if let Some(region) = options.region.clone().or(elsewhere) {
        loader = loader.region(Region::new(region));
    }
    if let Some(keys) = &options.credentials {
        loader = loader.credentials_provider(Credentials::new(
            &keys.access_key,
            &keys.secret_key,
            keys.session_token.clone(),
            None,
            "options",
        ));
    }
    let shared = loader.load().await;
    let path_style = options.path_style.unwrap_or(options.endpoint.is_some());
    let mut config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(path_style);
    if let Some(endpoint) = &options.endpoint {
        config = config.endpoint_url(endpoint);
    }
    Client::from_conf(config.build())
}
