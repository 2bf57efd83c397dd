//! What changes the routing. Each takes `reason`, `based_on` and `dry_run` besides its own fields, and
//! goes through the one door.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use serde::Deserialize;
use serde_json::json;

use crate::control::{Change, Crowd, Edit};
use crate::diagnostic::{Network, duration, percent};
use crate::identity::{Choice, Side};

use super::Admin;
use super::api::{Answer, blocking};
use super::peer::{Author, By};
use super::problem::Problem;

/// Longest life of a tester's token: a token cannot be called back.
const LONGEST_TOKEN: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A request body: its own fields, and what every change takes.
macro_rules! request {
    ($name:ident { $($(#[$meta:meta])* $field:ident: $type:ty),* $(,)? }) => {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$meta])* $field: $type,)*
            reason: Option<String>,
            based_on: Option<u64>,
            #[serde(default)]
            dry_run: bool,
            /// How long to wait for the other nodes of a fleet, such as `10s`; absent: as the settings say.
            wait: Option<String>,
        }

        impl $name {
            fn manner(&self) -> Manner {
                Manner {
                    reason: self.reason.clone(),
                    based_on: self.based_on,
                    dry_run: self.dry_run,
                    wait: self.wait.clone(),
                }
            }
        }
    };
}

/// How a change is to be made.
struct Manner {
    reason: Option<String>,
    based_on: Option<u64>,
    dry_run: bool,
    wait: Option<String>,
}

pub(super) type Body<T> = Result<Json<T>, JsonRejection>;

fn body<T>(request: Body<T>) -> Result<T, Problem> {
    Ok(request.map(|Json(request)| request)?)
}

request!(FlipRequest {
    route: String,
    to: String,
    /// A percentage as text, such as `5%`.
    canary: Option<String>,
});

pub(super) async fn flip(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Body<FlipRequest>,
) -> Answer {
    let request = body(request)?;
    let share = request.canary.as_deref().map(percent).transpose().map_err(Problem::bad_request)?;
    let canary = share.map(|buckets| Crowd { buckets: Some(buckets), ..Crowd::default() });
    let manner = request.manner();
    let edit = Edit::Flip { route: request.route, to: request.to, canary };
    change(admin, author, edit, manner).await
}

request!(CanaryRequest {
    route: String,
    /// A percentage as text, such as `5%`; absent: as it is.
    percent: Option<String>,
    users: Option<Vec<String>>,
    roles: Option<Vec<String>>,
    networks: Option<Vec<Network>>,
    testers: Option<bool>,
    group: Option<String>,
});

pub(super) async fn canary(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Body<CanaryRequest>,
) -> Answer {
    let request = body(request)?;
    let buckets = request.percent.as_deref().map(percent).transpose().map_err(Problem::bad_request)?;
    let manner = request.manner();
    let crowd = Crowd {
        buckets,
        users: request.users,
        roles: request.roles,
        networks: request.networks,
        testers: request.testers,
        group: request.group,
    };
    change(admin, author, Edit::Canary { route: request.route, crowd }, manner).await
}

request!(RollbackRequest {
    /// Absent or null: every route.
    route: Option<String>,
    /// How long it is held, such as `2h`; absent: until somebody resumes it.
    lasts: Option<String>,
});

pub(super) async fn rollback(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Body<RollbackRequest>,
) -> Answer {
    let request = body(request)?;
    let (lasts, manner) = (time(request.lasts.as_deref())?, request.manner());
    change(admin, author, Edit::Rollback { route: request.route, lasts }, manner).await
}

request!(HoldRequest {
    route: String,
    /// How long, such as `2h`; absent: until somebody resumes it.
    lasts: Option<String>,
});

pub(super) async fn hold(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Body<HoldRequest>,
) -> Answer {
    let request = body(request)?;
    let (lasts, manner) = (time(request.lasts.as_deref())?, request.manner());
    change(admin, author, Edit::Hold { route: request.route, lasts }, manner).await
}

request!(ResumeRequest { route: String });

pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Body<ResumeRequest>,
) -> Answer {
    let request = body(request)?;
    let manner = request.manner();
    change(admin, author, Edit::Resume { route: request.route }, manner).await
}

request!(UndoRequest {
    /// Absent or null: the last change.
    revision: Option<u64>,
    #[serde(default)]
    force: bool,
});

pub(super) async fn undo(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Body<UndoRequest>,
) -> Answer {
    let request = body(request)?;
    let manner = request.manner();
    change(admin, author, Edit::Undo { revision: request.revision, force: request.force }, manner).await
}

request!(ApplyRequest {
    text: String,
    /// The file's name, for messages.
    name: String,
});

pub(super) async fn apply_file(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Body<ApplyRequest>,
) -> Answer {
    let request = body(request)?;
    let manner = request.manner();
    change(admin, author, Edit::Apply { text: request.text, name: request.name }, manner).await
}

fn time(text: Option<&str>) -> Result<Option<Duration>, Problem> {
    let lasts = text.map(duration).transpose().map_err(Problem::bad_request)?;
    Ok(lasts.filter(|lasts| !lasts.is_zero()))
}

/// A change that another path of the API leads to.
pub(super) async fn apply(admin: Arc<Admin>, author: Author, wanted: Change) -> Answer {
    let manner = Manner { reason: wanted.reason, based_on: wanted.based_on, dry_run: false, wait: None };
    change(admin, author, wanted.edit, manner).await
}

async fn change(admin: Arc<Admin>, author: Author, edit: Edit, manner: Manner) -> Answer {
    let Author(author, looked_at) = author;
    let wait = manner.wait.as_deref().map(duration).transpose().map_err(Problem::bad_request)?;
    let based_on = manner.based_on.or(looked_at);
    let change = Change { author, reason: manner.reason, based_on, edit };
    let began = Instant::now();
    blocking(move || {
        let done = if manner.dry_run {
            serde_json::to_value(admin.control.preview(&change)?)
        } else {
            super::promotion::agreed(&admin, &change)?;
            serde_json::to_value(admin.control.apply(&change)?)
        };
        let mut answer = done.map_err(|error| Problem::internal(error.to_string()))?;
        if let (false, Some(revision)) = (answer["undo"].is_null(), answer["revision"].as_u64())
            && let Some(confirmation) = admin.control.confirmed(revision, wait)
        {
            answer["fleet"] = json!(confirmation);
            answer["took"]["confirmed_us"] = json!(began.elapsed().as_micros());
        }
        answer["schema"] = json!(1);
        answer["dry_run"] = json!(manner.dry_run);
        Ok(answer)
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TesterRequest {
    /// A route, `customers.*`, or `*`.
    scope: String,
    side: Side,
    /// How long, such as `8h`.
    lasts: String,
}

pub(super) async fn tester_token(
    State(admin): State<Arc<Admin>>,
    Extension(author): By,
    request: Body<TesterRequest>,
) -> Answer {
    let request = body(request)?;
    let lasts = duration(&request.lasts).map_err(Problem::bad_request)?;
    if lasts.is_zero() || lasts > LONGEST_TOKEN {
        return Err(Problem::bad_request("a token lasts longer than nothing and at most 720h"));
    }
    let Some(tokens) = &admin.kept.tokens else {
        return Err(Problem::bad_request(
            "there is nothing to sign with: set `canary.secret_key` or `flask.secret_key` in ficus.toml",
        ));
    };
    let seconds = i64::try_from(lasts.as_secs()).unwrap_or_default();
    let expires = chrono::Utc::now().timestamp() + seconds;
    let choice = Choice { side: request.side, scope: request.scope, expires };
    let routing = admin.control.live().load();
    let routes: Vec<&str> = routing
        .table
        .routes()
        .iter()
        .filter(|route| choice.covers(&route.name))
        .map(|route| route.name.as_str())
        .collect();
    if routes.is_empty() {
        return Err(Problem::unknown_route(&choice.scope, admin.control.nearest_routes(&choice.scope)));
    }
    tracing::info!(author = author.0, scope = choice.scope, expires, "a tester's token was made");
    Ok(Json(json!({
        "schema": 1,
        "token": tokens.tester(&choice),
        "header": crate::identity::TESTER_HEADER,
        "cookie": crate::identity::TESTER_COOKIE,
        "side": choice.side,
        "routes": routes,
        "expires": chrono::DateTime::from_timestamp(expires, 0),
    })))
}
