//! The store behind an address, with what the surroundings say of it: the variables that the tools of each cloud take.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::list::PaginatedListStore;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::profile::Configured;
use super::wire::{Hosts, Wire};
use super::{Access, Address, Scheme, fault};
use crate::error::{Error, Result};
use crate::http::Environment;

/// How often what failed is tried: as the tools of Amazon do at most, in their standard mode, and a few times more.
const ATTEMPTS: usize = 6;

/// What is done with a store here.
pub(super) trait Store: ObjectStore + PaginatedListStore {}

impl<T: ObjectStore + PaginatedListStore> Store for T {}

/// The store of an address.
pub(super) fn store(address: &Address, access: &Access, environment: &Environment) -> Result<Arc<dyn Store>> {
    let made = match address.scheme {
        Scheme::S3 => s3(address, access, environment)?,
        Scheme::Gs => gs(address, access, environment),
        Scheme::Az => az(address, access, environment)?,
    };
    made.map_err(|error| fault::of_settings(address, &error))
}

type Made = object_store::Result<Arc<dyn Store>>;

fn retry(access: &Access, environment: &Environment) -> RetryConfig {
    let attempts = || environment.text("AWS_MAX_ATTEMPTS").and_then(|text| text.parse().ok());
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: match access.retry_times {
            Some(times) => times as usize,
            None => attempts().unwrap_or(ATTEMPTS).saturating_sub(1),
        },
        retry_timeout: Duration::from_secs(access.limits.retry_seconds),
    }
}

fn s3(address: &Address, access: &Access, environment: &Environment) -> Result<Made> {
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
    if set.contains_key("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        && !set.contains_key("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        && !set.contains_key("AWS_ACCESS_KEY_ID")
    {
        let message =
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is set without AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
        let help = "set the file that holds the token, as EKS does; a token in a variable is not taken here";
        return Err(Error::refused_help(format!("{}: {message}", address.bucket()), help));
    }
    let named = |names: &[&str]| -> Vec<String> {
        names.iter().filter_map(|name| Some((*set.get(name)?).to_owned())).collect()
    };
    let region_or = region.as_deref().unwrap_or("us-east-1");
    let sts = named(&["AWS_ENDPOINT_URL_STS"]).pop();
    let mut keepers = named(&["AWS_CONTAINER_CREDENTIALS_FULL_URI"]);
    keepers.push(sts.unwrap_or_else(|| format!("https://sts.{region_or}.amazonaws.com")));
    let store = endpoint.iter().cloned().collect();
    let hosts = Hosts { store, near: named(&["AWS_METADATA_ENDPOINT"]), keepers };
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    let store = builder
        .with_bucket_name(&address.bucket)
        .with_allow_http(true)
        .with_retry(retry(access, environment))
        .with_http_connector(Wire::new(access, environment, &hosts))
        .build();
    Ok(store.map(|store| Arc::new(store) as _))
}

fn gs(address: &Address, access: &Access, environment: &Environment) -> Made {
    let mut builder = GoogleCloudStorageBuilder::new();
    let near = ["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"];
    let near = near.iter().filter_map(|name| environment.text(name)).map(str::to_owned).collect();
    let keepers = vec!["https://accounts.google.com".to_owned()];
    let mut hosts = Hosts { near, keepers, ..Hosts::default() };
    for (name, value) in environment.beginning("GOOGLE_") {
        if let Ok(key) = name.to_ascii_lowercase().parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
        hosts.store.extend((name == "GOOGLE_BASE_URL").then(|| value.to_owned()));
    }
    // What Google's own libraries take for a server on this machine.
    if let Some(host) = environment.text("STORAGE_EMULATOR_HOST") {
        let url = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        builder = builder
            .with_base_url(url.trim_end_matches('/'))
            .with_config(GoogleConfigKey::SkipSignature, "true");
        hosts.store.push(url);
    }
    let store = builder
        .with_bucket_name(&address.bucket)
        .with_retry(retry(access, environment))
        .with_http_connector(Wire::new(access, environment, &hosts))
        .build()?;
    Ok(Arc::new(store))
}

fn az(address: &Address, access: &Access, environment: &Environment) -> Result<Made> {
    let mut builder = MicrosoftAzureBuilder::new();
    let mut hosts = Hosts::default();
    for (name, value) in environment.beginning("AZURE_") {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
        match name {
            "AZURE_STORAGE_ENDPOINT" | "AZURE_ENDPOINT" => hosts.store.push(value.to_owned()),
            "AZURE_MSI_ENDPOINT" | "AZURE_IDENTITY_ENDPOINT" => hosts.near.push(value.to_owned()),
            "AZURE_AUTHORITY_HOST" | "AZURE_STORAGE_AUTHORITY_HOST" => hosts.keepers.push(value.to_owned()),
            _ => {}
        }
    }
    let mut given = |key: AzureConfigKey, value: Option<&str>| {
        if let Some(value) = value {
            builder = std::mem::take(&mut builder).with_config(key, value);
        }
    };
    // App Service and Functions; the header that goes with it is taken from IDENTITY_HEADER.
    let identity = environment.text("IDENTITY_ENDPOINT");
    given(AzureConfigKey::MsiEndpoint, identity);
    hosts.near.extend(identity.map(str::to_owned));
    hosts.keepers.push("https://login.microsoftonline.com".to_owned());
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
        hosts.store.extend(endpoint);
    }
    let store = builder
        .with_container_name(&address.bucket)
        .with_allow_http(true)
        .with_retry(retry(access, environment))
        .with_http_connector(Wire::new(access, environment, &hosts))
        .build();
    Ok(store.map(|store| Arc::new(store) as _))
}
