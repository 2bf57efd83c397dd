//! `ficus token`: the tokens of the admin API.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::client::Client;
use super::exit::Exit;
use super::screen::{self, word};

/// `token`.
#[derive(Debug, Args)]
#[command(after_help = "\
A token is for those who come over TCP (`admin.api = true`); on the socket the kernel says who asks. It is shown once. \
FICUS_TOKEN, or a file of mode 0600 named by FICUS_TOKEN_FILE, carries it; it is never an argument.

Examples:
  ficus token create --name grafana --role viewer --for 90d
  ficus token create --name phone --for-user ana --role operator --for 30d --route 'customers.*' > token
  FICUS_TOKEN_FILE=token ficus status --admin http://127.0.0.1:9900
  ficus token revoke phone")]
pub(super) struct Token {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token, and print it once
    Create(Create),
    /// List the tokens
    List,
    /// Revoke a token: it is of no use any more, at once
    Revoke {
        /// Its name or id
        token: String,
    },
    /// Show who was refused, and what became of tokens
    Log {
        /// How many, newest first
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// What to call it; goes into the history
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// The user of the system that it is for: both are one person when somebody must approve [default: the one of this
    /// name]
    #[arg(long, value_name = "USER")]
    for_user: Option<String>,
    /// viewer, operator or admin
    #[arg(long, value_name = "ROLE", value_parser = ["viewer", "operator", "admin"])]
    role: String,
    /// How long it is good for, at most 366d
    #[arg(long = "for", value_name = "TIME", default_value = "30d")]
    lasts: String,
    /// Change only this route, or those beginning as `customers.*`; may be given again
    #[arg(long, value_name = "ROUTE")]
    route: Vec<String>,
}

pub(super) fn run(common: &Common, flags: &Token) -> Done {
    let client = Client::new(common);
    match &flags.what {
        What::Create(create) => made(common, &client, create),
        What::List => listed(common, &client),
        What::Revoke { token } => revoked(common, &client, token),
        What::Log { limit } => logged(common, &client, *limit),
    }
}

fn made(common: &Common, client: &Client, create: &Create) -> Done {
    let question = json!({
        "name": create.name,
        "user": create.for_user,
        "role": create.role,
        "lasts": create.lasts,
        "routes": create.route,
    });
    let answer = client.post("/v1/tokens", &question)?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let token = &answer["token"];
    eprintln!(
        "{} {}, {}, until {}; it is not shown again",
        word(&token["role"]),
        word(&token["name"]),
        routes(token),
        screen::time(&word(&token["expires"]))
    );
    screen::print(&format!("{}\n", word(&answer["secret"])));
    Ok(())
}

fn listed(common: &Common, client: &Client) -> Done {
    let answer = client.get("/v1/tokens")?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let row = |token: &Value| {
        let end = match token["revoked"].as_str() {
            Some(at) => format!("revoked {}", screen::time(at)),
            None => screen::time(&word(&token["expires"])),
        };
        let user = token["user"].as_str().map(|user| format!(" (of {user})")).unwrap_or_default();
        let name = format!("{}{user}", word(&token["name"]));
        vec![word(&token["id"]), name, word(&token["role"]), routes(token), end, word(&token["author"])]
    };
    let rows: Vec<Vec<String>> = answer["tokens"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        screen::print("there are no tokens\n");
    } else {
        screen::print(&screen::table(&["ID", "NAME", "ROLE", "CHANGES", "UNTIL", "MADE BY"], &rows));
    }
    Ok(())
}

fn revoked(common: &Common, client: &Client, token: &str) -> Done {
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_. ".contains(c);
    if token.is_empty() || !token.chars().all(sound) {
        return Err(Exit::usage("a token is revoked by its name or id: `ficus token list` shows them"));
    }
    let answer = client.delete(&format!("/v1/tokens/{}", token.replace(' ', "%20")))?;
    if common.json {
        screen::print_json(&answer);
    } else {
        let revoked = &answer["revoked"];
        screen::print(&format!("revoked {} ({})\n", word(&revoked["name"]), word(&revoked["id"])));
    }
    Ok(())
}

fn logged(common: &Common, client: &Client, limit: u32) -> Done {
    let answer = client.get(&format!("/v1/access?limit={limit}"))?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let row = |entry: &Value| {
        let mut row = vec![screen::time(&word(&entry["at"]))];
        row.extend(["event", "what", "who", "reason"].map(|key| word(&entry[key])));
        row
    };
    let rows: Vec<Vec<String>> = answer["entries"].as_array().into_iter().flatten().map(row).collect();
    screen::print(&screen::table(&["WHEN", "EVENT", "WHAT", "WHO", "WHY"], &rows));
    Ok(())
}

fn routes(token: &Value) -> String {
    let routes: Vec<String> = token["routes"].as_array().into_iter().flatten().map(word).collect();
    if token["role"] == "viewer" {
        "nothing".to_owned()
    } else if routes.is_empty() {
        "every route".to_owned()
    } else {
        routes.join(", ")
    }
}
