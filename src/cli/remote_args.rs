//! Options of registries, as they can be typed.

use std::path::PathBuf;

use clap::Args;

/// Options of places in registries. With two registries each has its own, with `--src-` and `--dest-`.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct RemoteArgs {
    /// Name and password for the registry; with --password-stdin the name alone
    #[arg(long, value_name = "USER[:PASSWORD]", help_heading = "Registries")]
    pub creds: Option<String>,
    /// Read the password from standard input
    #[arg(long, help_heading = "Registries")]
    pub password_stdin: bool,
    /// Look for credentials in this file alone, as podman, skopeo or docker write it
    #[arg(long, value_name = "FILE", help_heading = "Registries")]
    pub authfile: Option<PathBuf>,
    /// With false: take any certificate of the registry, and plain HTTP; of a bucket, any of the endpoint that was given
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        help_heading = "Registries and buckets"
    )]
    pub tls_verify: Option<bool>,
    /// Trust the certificates in this file too. Can be given several times
    #[arg(long, value_name = "FILE", help_heading = "Registries and buckets")]
    pub ca: Vec<PathBuf>,
    /// How often what failed is tried again; if not given, 3 times, in buckets 5
    #[arg(long, value_name = "N", help_heading = "Registries and buckets")]
    pub retry_times: Option<u32>,
    /// Seconds in which a registry or store may send nothing; the limit wait-seconds if not given
    #[arg(long, value_name = "SECONDS", help_heading = "Registries and buckets")]
    pub timeout: Option<u64>,
    /// Bytes a second for all transfers together, such as 500k or 10M; of each bucket
    #[arg(long, value_name = "BYTES", help_heading = "Registries and buckets")]
    pub limit_rate: Option<String>,
    /// What refers to an image goes along so many edges far: all, or a number
    #[arg(long, value_name = "all|N", default_value = "all", help_heading = "Registries")]
    pub referrers: String,
    /// Every tag of the repository
    #[arg(long, help_heading = "Registries")]
    pub all_tags: bool,
    /// With docker://HOST/[PREFIX/]: only these of it, NAME[:TAG|@DIGEST] a line; `-` is standard input
    #[arg(long, value_name = "FILE", help_heading = "Registries")]
    pub names_from: Option<PathBuf>,
}

/// The same for each of two places.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct SidesArgs {
    /// --creds for the first place
    #[arg(long, value_name = "USER[:PASSWORD]", help_heading = "Registries")]
    pub src_creds: Option<String>,
    /// --password-stdin for the first place
    #[arg(long, help_heading = "Registries", conflicts_with = "dest_password_stdin")]
    pub src_password_stdin: bool,
    /// --authfile for the first place
    #[arg(long, value_name = "FILE", help_heading = "Registries")]
    pub src_authfile: Option<PathBuf>,
    /// --tls-verify for the first place
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        help_heading = "Registries"
    )]
    pub src_tls_verify: Option<bool>,
    /// --ca for the first place
    #[arg(long, value_name = "FILE", help_heading = "Registries")]
    pub src_ca: Vec<PathBuf>,
    /// --creds for the second place
    #[arg(long, value_name = "USER[:PASSWORD]", help_heading = "Registries")]
    pub dest_creds: Option<String>,
    /// --password-stdin for the second place
    #[arg(long, help_heading = "Registries")]
    pub dest_password_stdin: bool,
    /// --authfile for the second place
    #[arg(long, value_name = "FILE", help_heading = "Registries")]
    pub dest_authfile: Option<PathBuf>,
    /// --tls-verify for the second place
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        help_heading = "Registries"
    )]
    pub dest_tls_verify: Option<bool>,
    /// --ca for the second place
    #[arg(long, value_name = "FILE", help_heading = "Registries")]
    pub dest_ca: Vec<PathBuf>,
}
