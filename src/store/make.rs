//! The store behind an address, with what the surroundings say of it: the variables that the tools of each cloud take.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::profile::Configured;
use super::wire::Wire;
use super::{Address, Scheme, fault};
use crate::error::{Error, Result};
use crate::http::Environment;
use crate::limits::Limits;

/// How often what failed is tried: as the tools of Amazon do at most, in their standard mode, and a few times more.
const ATTEMPTS: usize = 6;

/// The store of an address.
pub(super) fn store(
    address: &Address,
    limits: &Limits,
    environment: &Environment,
) -> Result<Arc<dyn ObjectStore>> {
    let made = match address.scheme {
        Scheme::S3 => s3(address, limits, environment)?,
        Scheme::Gs => gs(address, limits, environment),
        Scheme::Az => az(address, limits, environment)?,
    };
    made.map_err(|error| fault::of_settings(address, &error))
}

type Made = object_store::Result<Arc<dyn ObjectStore>>;

fn retry(limits: &Limits, environment: &Environment) -> RetryConfig {
    let attempts = environment.text("AWS_MAX_ATTEMPTS").and_then(|text| text.parse().ok());
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: attempts.unwrap_or(ATTEMPTS).saturating_sub(1),
        retry_timeout: Duration::from_secs(limits.retry_seconds),
    }
}

fn s3(address: &Address, limits: &Limits, environment: &Environment) -> Result<Made> {
    let mut builder = AmazonS3Builder::new();
    let set: HashMap<&str, &str> = environment.beginning("AWS_").collect();
    for (name, value) in &set {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, *value);
        }
    }
    let asks_elsewhere = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SKIP_SIGNATURE",
    ];
    let mut endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .iter()
        .find_map(|name| set.get(name).map(|value| (*value).to_owned()));
    let mut region = set.get("AWS_REGION").or(set.get("AWS_DEFAULT_REGION")).map(|value| (*value).to_owned());
    let given = asks_elsewhere.iter().any(|name| set.contains_key(name));
    if !given || environment.text("AWS_PROFILE").is_some() {
        let profile = Configured::load(environment)?;
        endpoint = endpoint.or_else(|| profile.get("endpoint_url").map(str::to_owned));
        region = region.or_else(|| profile.get("region").map(str::to_owned));
        let keys = profile.get("aws_access_key_id").zip(profile.get("aws_secret_access_key"));
        match keys.filter(|_| !given) {
            Some((id, secret)) => {
                builder = builder.with_access_key_id(id).with_secret_access_key(secret);
                if let Some(token) = profile.get("aws_session_token") {
                    builder = builder.with_token(token);
                }
            }
            None if given => {}
            None => {
                if let Some(way) = profile.unknown_way() {
                    let message = format!(
                        "the profile of Amazon's tools has its credentials by {way}, which is not known here"
                    );
                    let help =
                        "eval \"$(aws configure export-credentials --format env)\" sets them for this shell";
                    return Err(Error::refused_help(message, help));
                }
                // Machines of Amazon are asked who they are, unless that is not wanted.
                if set.get("AWS_EC2_METADATA_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"))
                {
                    return Err(fault::no_credentials(address));
                }
            }
        }
    }
    let endpoints: Vec<String> = endpoint.iter().cloned().collect();
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    let store = builder
        .with_bucket_name(&address.bucket)
        .with_allow_http(true)
        .with_retry(retry(limits, environment))
        .with_http_connector(Wire::new(limits, environment, &endpoints))
        .build();
    Ok(store.map(|store| Arc::new(store) as _))
}

fn gs(address: &Address, limits: &Limits, environment: &Environment) -> Made {
    let mut builder = GoogleCloudStorageBuilder::new();
    let mut endpoints = Vec::new();
    for (name, value) in environment.beginning("GOOGLE_") {
        if let Ok(key) = name.to_ascii_lowercase().parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
        endpoints.extend((name == "GOOGLE_BASE_URL").then(|| value.to_owned()));
    }
    // What Google's own libraries take for a server on this machine.
    if let Some(host) = environment.text("STORAGE_EMULATOR_HOST") {
        let url = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        builder = builder
            .with_base_url(url.trim_end_matches('/'))
            .with_config(GoogleConfigKey::SkipSignature, "true");
        endpoints.push(url);
    }
    let store = builder
        .with_bucket_name(&address.bucket)
        .with_retry(retry(limits, environment))
        .with_http_connector(Wire::new(limits, environment, &endpoints))
        .build()?;
    Ok(Arc::new(store))
}

fn az(address: &Address, limits: &Limits, environment: &Environment) -> Result<Made> {
    let mut builder = MicrosoftAzureBuilder::new();
    let mut endpoints = Vec::new();
    for (name, value) in environment.beginning("AZURE_") {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
        endpoints
            .extend(matches!(name, "AZURE_STORAGE_ENDPOINT" | "AZURE_ENDPOINT").then(|| value.to_owned()));
    }
    let mut given = |key: AzureConfigKey, value: Option<&str>| {
        if let Some(value) = value {
            builder = std::mem::take(&mut builder).with_config(key, value);
        }
    };
    given(AzureConfigKey::AccountName, environment.text("AZURE_STORAGE_ACCOUNT"));
    given(AzureConfigKey::AccessKey, environment.text("AZURE_STORAGE_KEY"));
    if let Some(text) = environment.text("AZURE_STORAGE_CONNECTION_STRING") {
        let parts: HashMap<&str, &str> = text.split(';').filter_map(|part| part.split_once('=')).collect();
        let part = |name: &str| parts.get(name).copied();
        if part("AccountName").is_none() {
            let message = "AZURE_STORAGE_CONNECTION_STRING names no AccountName";
            return Err(Error::refused_help(message, "copy it whole: its parts are joined by `;`"));
        }
        given(AzureConfigKey::AccountName, part("AccountName"));
        given(AzureConfigKey::AccessKey, part("AccountKey"));
        given(AzureConfigKey::SasKey, part("SharedAccessSignature"));
        let endpoint = part("BlobEndpoint").map(str::to_owned).or_else(|| {
            let (account, suffix) = (part("AccountName")?, part("EndpointSuffix")?);
            Some(format!("{}://{account}.blob.{suffix}", part("DefaultEndpointsProtocol").unwrap_or("https")))
        });
        given(AzureConfigKey::Endpoint, endpoint.as_deref().map(|endpoint| endpoint.trim_end_matches('/')));
        endpoints.extend(endpoint);
    }
    let store = builder
        .with_container_name(&address.bucket)
        .with_allow_http(true)
        .with_retry(retry(limits, environment))
        .with_http_connector(Wire::new(limits, environment, &endpoints))
        .build();
    Ok(store.map(|store| Arc::new(store) as _))
}
