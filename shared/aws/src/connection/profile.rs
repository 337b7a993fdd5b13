//! Connecting as the AWS CLI does: from the environment, profiles, SSO, roles.

use aws_config::{
    BehaviorVersion, SdkConfig,
    environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain,
    profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider},
    provider_config::ProviderConfig,
};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_dynamodb::config::{
    ProvideCredentials as _, Region, SharedCredentialsProvider, SharedHttpClient,
};
use aws_types::service_config::ServiceConfigKey;

use super::{Connection, Endpoints};
use crate::error::with_causes;

/// What is said in so many words of where AWS is; the rest is as the machine is configured.
#[derive(Clone, Debug, Default)]
pub struct Place {
    pub profile: Option<String>,
    pub region: Option<String>,
    pub endpoint_url: Option<String>,
}

/// The machine's configuration leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum NotConfigured {
    #[error("no AWS region is configured")]
    Region,
    #[error("no AWS credentials were found: {0}")]
    Credentials(String),
}

impl Connection {
    /// Connects as the AWS CLI would. Asks for the credentials once, so that a lack of them is told at once.
    pub async fn as_configured(place: &Place) -> Result<Self, NotConfigured> {
        let http = Self::https();
        let config = load(place, &http).await;
        let region = config.region().cloned().ok_or(NotConfigured::Region)?;
        let credentials = config
            .credentials_provider()
            .ok_or_else(|| NotConfigured::Credentials("no provider is configured".to_owned()))?;
        credentials.provide_credentials().await.map_err(|error| without_credentials(place, &error))?;
        Ok(Self { region, credentials, endpoints: Endpoints::configured(place, &config), http })
    }
}

fn without_credentials(place: &Place, error: &CredentialsError) -> NotConfigured {
    if let CredentialsError::CredentialsNotLoaded(_) = error {
        return NotConfigured::Credentials(match &place.profile {
            Some(profile) => format!("there is no profile {profile}, or it has none"),
            None => {
                "neither in the environment, nor in a profile, nor from a container or an instance".to_owned()
            }
        });
    }
    NotConfigured::Credentials(with_causes(error))
}

async fn load(place: &Place, http: &SharedHttpClient) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone());
    let mut region = place.region.clone().map(Region::new);
    if let Some(profile) = &place.profile {
        let provider = ProviderConfig::without_region().with_http_client(http.clone());
        if region.is_none() {
            region = region_with(profile, &provider).await;
        }
        // The chain would look into the environment first. Who names a profile means it. The region is that in which a
        // role is assumed.
        let credentials = ProfileFileCredentialsProvider::builder()
            .configure(&provider.with_region(region.clone()))
            .profile_name(profile)
            .build();
        loader =
            loader.profile_name(profile).credentials_provider(SharedCredentialsProvider::new(credentials));
    }
    if let Some(region) = region {
        loader = loader.region(region);
    }
    loader.load().await
}

/// As the AWS CLI has it: the environment's, or else the profile's.
async fn region_with(profile: &str, provider: &ProviderConfig) -> Option<Region> {
    let of_profile = ProfileFileRegionProvider::builder().configure(provider).profile_name(profile).build();
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(of_profile)
        .region()
        .await
}

impl Endpoints {
    fn configured(place: &Place, config: &SdkConfig) -> Self {
        let of = |service: &str| {
            let key = ServiceConfigKey::builder()
                .service_id(service)
                .env("AWS_ENDPOINT_URL")
                .profile("endpoint_url")
                .build()
                .ok()?;
            let of_service = || config.service_config()?.load_config(key);
            place
                .endpoint_url
                .clone()
                .or_else(of_service)
                .or_else(|| config.endpoint_url().map(ToOwned::to_owned))
        };
        Self {
            dynamodb: of("DynamoDB"),
            ecs: of("ECS"),
            eventbridge: of("EventBridge"),
            sqs: of("SQS"),
            cloudwatchlogs: of("CloudWatch Logs"),
        }
    }
}
