//! The CRM's customer list from its own Jinja template, without a web server: the request is made up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flask_compat::flash::FlashMessage;
use flask_compat::routing::{self, Map};
use flask_compat::session::{Map as Data, Session};
use flask_compat::templates::{Page, Pagination, TemplateRequest, authenticated_user, environment, render};
use flask_compat::url::{Pairs, RequestUrl, decode_pairs};
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde_json::Value as Json;

use crate::{Outcome, PROFILE, list, measure};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const QUERY: &str = "q=sons&status=active&sort=name&page=4";

struct Request {
    url: RequestUrl,
    args: Pairs,
    form: Pairs,
    map: Map,
    session: Mutex<Session>,
}

impl TemplateRequest for Request {
    fn method(&self) -> &str {
        "GET"
    }

    fn url(&self) -> &RequestUrl {
        &self.url
    }

    fn endpoint(&self) -> Option<&str> {
        Some("customers.list")
    }

    fn view_args(&self) -> &[(String, routing::Value)] {
        &[]
    }

    fn args(&self) -> &Pairs {
        &self.args
    }

    fn form(&self) -> &Pairs {
        &self.form
    }

    fn header_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn header(&self, _: &str) -> Option<&str> {
        None
    }

    fn remote_addr(&self) -> Option<&str> {
        None
    }

    fn map(&self) -> &Map {
        &self.map
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flashed_messages(&self, _: &[&str]) -> Vec<FlashMessage> {
        Vec::new()
    }

    fn csrf_token(&self) -> Option<String> {
        Some("the token of this request".to_owned())
    }
}

/// `crm/filters.py`, for the values of the inputs.
fn date(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let part =
        |at: usize, length: usize| text.get(at..at + length).and_then(|part| part.parse::<usize>().ok());
    match (part(0, 4), part(5, 2), part(8, 2)) {
        (Some(year), Some(month @ 1..=12), Some(day)) => format!("{day} {} {year}", MONTHS[month - 1]),
        _ => "–".to_owned(),
    }
}

fn money(value: &Value) -> String {
    let Some((whole, cents)) = value.as_str().and_then(|text| text.split_once('.')) else {
        return "–".to_owned();
    };
    let mut out = "€".to_owned();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{out}.{cents}")
}

fn crm_environment() -> Environment<'static> {
    let mut env = environment(PROFILE);
    let templates = concat!(env!("CARGO_MANIFEST_DIR"), "/../../legacy-crm/crm/templates");
    env.set_loader(flask_compat::templates::folder_loader([templates]));
    env.add_filter("date", date);
    env.add_filter("money", money);
    env
}

fn pairs(json: &Json, key: &str) -> Result<Value, String> {
    let pairs = list(json, key)?;
    Ok(Value::from_pairs(
        pairs
            .iter()
            .filter_map(|pair| Some((pair[0].as_str()?.to_owned(), Value::from(pair[1].as_str()?))))
            .collect::<Vec<_>>(),
    ))
}

/// Renders the page once into a file, then many times.
pub(crate) fn measure_page(given: &Json, map: Map, out: Option<&str>) -> Outcome {
    let request = Request {
        url: RequestUrl::new("http", "localhost", &format!("/customers/?{QUERY}"), PROFILE),
        args: decode_pairs(QUERY.as_bytes(), PROFILE),
        form: Pairs::default(),
        map,
        session: Mutex::new(Session::new(Data::new(), PROFILE)),
    };
    let mut page = Page::new(Arc::new(request));
    page.current_user = authenticated_user("7", Value::from(Serde(&given["user"])));
    let number = |key: &str| given[key].as_u64().unwrap_or_default();
    let items = Value::from(Serde(&given["customers"]));
    let pagination = Pagination::new(items, number("page"), number("per_page"), number("total"));
    let context = context! {
        pagination => Value::from_object(pagination),
        shown => Value::from(Serde(&given["shown"])),
        owners => Value::from(Serde(&given["owners"])),
        statuses => Value::from(Serde(&given["statuses"])),
        industries => Value::from(Serde(&given["industries"])),
        filters => pairs(given, "filters")?,
        args => pairs(given, "args")?,
    };
    let env = crm_environment();
    let text = render(&env, "customers/list.html", &page, context.clone())?;
    if let Some(out) = out {
        std::fs::write(out, text)?;
    }
    measure("template_customers_list", 1, || {
        std::hint::black_box(render(&env, "customers/list.html", &page, context.clone()).is_ok());
    });
    Ok(())
}
