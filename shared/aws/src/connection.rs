#[cfg(feature = "profile")]
mod profile;

use std::time::Duration;

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, SharedHttpClient,
    retry::{RetryConfig, RetryPartition},
    timeout::TimeoutConfig,
};
use aws_smithy_http_client::tls;

#[cfg(feature = "profile")]
pub use profile::{NotConfigured, Place};

/// How AWS is reached: one HTTP client, one set of credentials, one endpoint for all services.
///
/// For a function everything comes from the environment that Lambda sets; no profile is read and no metadata service
/// is asked. For a program that people start, see the feature `profile`.
#[derive(Clone, Debug)]
pub struct Connection {
    region: Region,
    credentials: SharedCredentialsProvider,
    endpoints: Endpoints,
    http: SharedHttpClient,
}

/// A variable that must be set is not.
#[derive(Debug, thiserror::Error)]
#[error("environment variable {0} is not set")]
pub struct MissingVariable(pub &'static str);

/// `AWS_ENDPOINT_URL`, and `AWS_ENDPOINT_URL_<SERVICE>` before it, as the AWS SDKs read them.
#[derive(Clone, Debug, Default)]
struct Endpoints {
    dynamodb: Option<String>,
    ecs: Option<String>,
    eventbridge: Option<String>,
    sqs: Option<String>,
    cloudwatchlogs: Option<String>,
}

impl Connection {
    /// Connects as the environment says.
    pub fn from_env() -> Result<Self, MissingVariable> {
        let variable = |name: &'static str| std::env::var(name).map_err(|_| MissingVariable(name));
        let credentials = Credentials::new(
            variable("AWS_ACCESS_KEY_ID")?,
            variable("AWS_SECRET_ACCESS_KEY")?,
            std::env::var("AWS_SESSION_TOKEN").ok(),
            None,
            "environment",
        );
        Ok(Self {
            region: Region::new(variable("AWS_REGION").or_else(|_| variable("AWS_DEFAULT_REGION"))?),
            credentials: SharedCredentialsProvider::new(credentials),
            endpoints: Endpoints::from_env(),
            http: Self::https(),
        })
    }

    fn https() -> SharedHttpClient {
        aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https()
    }

    /// Connects through `http` alone, whatever the region and the credentials.
    pub fn through(http: SharedHttpClient) -> Self {
        let credentials = Credentials::new("local", "local", None, None, "local");
        let endpoint = Some("http://aws.localhost".to_owned());
        Self {
            region: Region::from_static("us-east-1"),
            credentials: SharedCredentialsProvider::new(credentials),
            endpoints: Endpoints {
                dynamodb: endpoint.clone(),
                ecs: endpoint.clone(),
                eventbridge: endpoint.clone(),
                sqs: endpoint.clone(),
                cloudwatchlogs: endpoint,
            },
            http,
        }
    }

    /// The region that everything is in.
    pub fn region(&self) -> &str {
        self.region.as_ref()
    }

    fn timeouts(patience: Duration) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(patience)
            .build()
    }
}

/// A call is given up soon enough that its function can still say so.
const PATIENCE: Duration = Duration::from_secs(8);
/// What a bus that hangs has not taken by then is kept elsewhere, soon enough for a whole batch of the stream.
const WITH_THE_BUS: Duration = Duration::from_secs(2);

/// The services' `Config` types are one shape without one trait.
macro_rules! client {
    ($name:ident, $service:ident, $patience:expr) => {
        pub(crate) fn $name(&self) -> $service::Client {
            let mut config = $service::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(self.region.clone())
                .credentials_provider(self.credentials.clone())
                .http_client(self.http.clone())
                // A budget of retries for this client alone: by default the whole process shares one per service.
                .retry_partition(RetryPartition::custom(stringify!($name)).build())
                .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(50)))
                .timeout_config(Self::timeouts($patience));
            config.set_endpoint_url(self.endpoints.$name.clone());
            $service::Client::from_conf(config.build())
        }
    };
}

impl Connection {
    client!(dynamodb, aws_sdk_dynamodb, PATIENCE);
    client!(ecs, aws_sdk_ecs, PATIENCE);
    client!(eventbridge, aws_sdk_eventbridge, WITH_THE_BUS);
    client!(sqs, aws_sdk_sqs, PATIENCE);
    client!(cloudwatchlogs, aws_sdk_cloudwatchlogs, PATIENCE);
}

impl Endpoints {
    fn from_env() -> Self {
        let all = std::env::var("AWS_ENDPOINT_URL").ok();
        let of =
            |service: &str| std::env::var(format!("AWS_ENDPOINT_URL_{service}")).ok().or_else(|| all.clone());
        Self {
            dynamodb: of("DYNAMODB"),
            ecs: of("ECS"),
            eventbridge: of("EVENTBRIDGE"),
            sqs: of("SQS"),
            cloudwatchlogs: of("CLOUDWATCH_LOGS"),
        }
    }
}
