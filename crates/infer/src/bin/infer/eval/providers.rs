//! The providers that a user asks for.

use anyhow::{Context, Result, bail};
use cli::eval::ProviderArgs;
use infer::provider::{Provider, ProviderOptions};

/// The providers asked for, each once.
///
/// # Errors
/// When a name is no provider's, or an option is for a provider that is not asked for.
pub fn asked(arguments: &ProviderArgs) -> Result<Vec<Provider>> {
    let mut providers = Vec::new();
    for name in &arguments.names {
        let provider = name.parse::<Provider>().context("--providers")?;
        if !providers.contains(&provider) {
            providers.push(provider);
        }
    }
    for option in &arguments.options {
        let asked = providers.iter().any(|provider| provider.name() == option.provider);
        if !asked {
            bail!("--provider-option is for {}, which --providers does not name", option.provider);
        }
    }
    Ok(providers)
}

/// The options given for a provider.
pub fn options_for(arguments: &ProviderArgs, provider: Provider) -> ProviderOptions {
    let given = arguments.options.iter().filter(|option| option.provider == provider.name());
    given.map(|option| (option.key.clone(), option.value.clone())).collect()
}
