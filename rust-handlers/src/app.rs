//! What all handlers share, and the table of endpoints.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::FromRef;
use axum::routing::{any, get};
use flask_compat::cookie::SameSite;
use flask_compat::fernet::MultiFernet;
use flask_compat::session::{SessionCodec, SessionConfig};
use flask_compat::templates::{authenticated_user, environment};
use flask_compat::web::{Application, LoadUser, Views};
use http::StatusCode;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use sqlx::PgPool;

use crate::config::Config;
use crate::crm::contact::Contact;
use crate::crm::user::User;
use crate::failure::Failure;
use crate::{api, customers, errors, filters, routes_file};

/// As in `crm/config.py`.
const MAX_CONTENT_LENGTH: u64 = 10 * 1024 * 1024;

/// The state of the service; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub pool: PgPool,
    /// The Flask application's templates.
    pub templates: Arc<Environment<'static>>,
    fernet: Arc<MultiFernet>,
}

impl App {
    /// From the configuration and a connected pool.
    ///
    /// # Errors
    /// When a Fernet key is none.
    pub fn new(config: &Config, pool: PgPool) -> anyhow::Result<Self> {
        let fernet = MultiFernet::new(config.fernet_keys.iter().map(String::as_str))
            .context("environment variable `CRM_FERNET_KEYS`")?;
        let mut templates = environment(config.profile);
        templates.set_loader(flask_compat::templates::folder_loader([&config.templates]));
        filters::register(&mut templates);
        Ok(Self { pool, templates: Arc::new(templates), fernet: Arc::new(fernet) })
    }

    /// Contacts as people read them.
    pub(crate) fn decrypted(&self, mut contacts: Vec<Contact>) -> Result<Vec<Contact>, Failure> {
        for contact in &mut contacts {
            contact.email = self.decrypt(contact.email.take())?;
            contact.phone = self.decrypt(contact.phone.take())?;
        }
        Ok(contacts)
    }

    fn decrypt(&self, token: Option<String>) -> Result<Option<String>, Failure> {
        let Some(token) = token else { return Ok(None) };
        let failed =
            || Failure::Internal("an encrypted column cannot be decrypted with `CRM_FERNET_KEYS`".to_owned());
        let bytes = self.fernet.decrypt(&token).map_err(|_| failed())?;
        String::from_utf8(bytes).map(Some).map_err(|_| failed())
    }
}

impl LoadUser<App> for User {
    type Error = sqlx::Error;

    async fn load(app: &App, id: &str) -> Result<Option<Self>, sqlx::Error> {
        Self::load(&app.pool, id).await
    }

    fn to_template(&self) -> Value {
        let fields = context! {
            sees_everything => self.sees_everything(),
            is_admin => self.role == "admin",
            ..Value::from(Serde(self)),
        };
        authenticated_user(&self.id.to_string(), fields)
    }
}

/// For transactions.
impl FromRef<App> for PgPool {
    fn from_ref(app: &App) -> Self {
        app.pool.clone()
    }
}

impl FromRef<App> for Arc<Environment<'static>> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.templates)
    }
}

/// The Flask application as `crm/config.py` and `crm/extensions.py` set it up.
///
/// # Errors
/// When routes.toml cannot be used, or the secret key by Flask-Login.
pub fn application(config: &Config, routes_toml: &str) -> anyhow::Result<Application> {
    let map = routes_file::read(routes_toml, config.profile)?;
    let mut application = Application::new(&config.secret_key, map, config.profile)?;
    let mut session = SessionConfig::new(config.profile);
    session.same_site = Some(SameSite::Lax);
    session.secure = config.cookie_secure;
    application.sessions = SessionCodec::new(&[&config.secret_key], session);
    application.login.login_view = Some("auth.login".to_owned());
    "info".clone_into(&mut application.login.login_message_category);
    application.login.http_only = true;
    application.login.secure = config.cookie_secure;
    application.csrf_exempt = vec!["api".to_owned()];
    application.form_limits.max_content_length = Some(MAX_CONTENT_LENGTH);
    Ok(application)
}

/// Every endpoint that moved, under its Flask name.
pub fn router(app: App, application: Application) -> Router {
    Views::new(Arc::new(application))
        .schema_heads(crate::schema::KNOWN_REVISIONS)
        .add("customers.list", get(customers::list::list))
        .add("customers.detail", get(customers::detail::detail))
        .add("customers.create", get(customers::create::empty_form).post(customers::create::create))
        .dry_runs("customers.create")
        .add("api.customers", get(api::customers::list))
        .add("api.customer", get(api::customer::item))
        .on_csrf_error(any(errors::csrf_failed))
        .on_error(StatusCode::FORBIDDEN, any(errors::page))
        .on_error(StatusCode::NOT_FOUND, any(errors::page))
        .on_error(StatusCode::PAYLOAD_TOO_LARGE, any(errors::page))
        .into_router(app)
}
