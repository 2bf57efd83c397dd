//! "Did you mean": the names nearest to a mistyped one.

/// The candidates that someone who typed `word` may have meant, best first, at most three.
pub fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Vec<&'c str> {
    let word = word.to_lowercase();
    let allowed = 1 + word.chars().count() / 4;
    let mut scored: Vec<(usize, &str)> = candidates
        .iter()
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let distance = strsim::damerau_levenshtein(&word, &lower);
            let part = word.chars().count() >= 4 && (lower.contains(&word) || word.contains(&lower));
            (distance <= allowed || part).then_some((distance, *candidate))
        })
        .collect();
    scored.sort();
    scored.into_iter().map(|(_, candidate)| candidate).take(3).collect()
}

/// A sentence that helps someone who typed `word`: near names, or all names if they are few.
pub fn did_you_mean(word: &str, candidates: &[&str]) -> Option<String> {
    let near = nearest(word, candidates);
    let quoted = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    match (near.as_slice(), candidates.len()) {
        ([], 1..=20) => Some(format!("known here: {}", quoted(candidates).join(", "))),
        ([], _) => None,
        (names, _) => Some(format!("did you mean {}?", quoted(names).join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_first() {
        let names = ["serve", "methods", "candidate", "customers.list", "customers.detail"];
        assert_eq!(nearest("method", &names), ["methods"]);
        assert_eq!(nearest("sevre", &names), ["serve"]);
        assert_eq!(nearest("customer.list", &names), ["customers.list"]);
        assert_eq!(nearest("customers", &names), ["customers.list", "customers.detail"]);
        assert!(nearest("zzz", &names).is_empty());
    }

    #[test]
    fn without_a_near_name_a_short_list_is_shown() {
        assert_eq!(did_you_mean("zzz", &["a", "b"]).unwrap(), "known here: `a`, `b`");
        assert_eq!(did_you_mean("rst", &["rust", "legacy"]).unwrap(), "did you mean `rust`?");
    }
}
