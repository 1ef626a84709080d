//! Valid input with some tokens dropped, doubled, swapped or taken from elsewhere. No panic; the function stays;
//! what parsed before parses after.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;

use super::tokens;

const ROUNDS: usize = 400;

const ATTRIBUTES: &[&str] = &[
    "",
    "lifetime = 600",
    r#"lifetime = "10m", max_stale = "1h", retention = "2d", refresh_ahead = 30, jitter = 0.1"#,
    "fetch_on_miss, wait = \"2s\", empty = Vec::new(), lifetime_for = |tweets| Duration::from_secs(tweets.len())",
    "fetch_on_miss = limit > 3, cache_err = 5, share_err = |error: &Map<String, E>| error.copy()",
    "key = (username, limit / 10, format!(\"{limit}\")), skip(db), capacity = 1_000, max_refreshes = 8",
    "name = \"tweets\", handle = other, crate = ::my::cacheback, max_backoff = ttl(username), refresh_timeout = 1",
    "handle = false, lifetime = Duration::from_secs(u64::from(limit)), wait = LIMIT",
    "max_bytes = \"64MiB\", weigh = |tweets| tweets.len() * 280, eviction = \"lru\"",
    "max_bytes = SIZE, weigh = Vec::len, retention_for = |tweets: &Vec<Tweet>| tweets[0].left",
    "capacity = FEW, eviction = \"tiny_lfu\"",
    "skip(self), handle = false, lifetime = self.lifetime(limit), empty = vec![format!(\"{}\", self)]",
    "in_impl, key = (self.tenant, username), wait = Self::WAIT",
    "in_impl, shared, version = 3, tags = [\"a\", username], ttl = 3",
];

const ITEMS: &[&str] = &[
    "async fn user_tweets() {}",
    "pub async fn user_tweets(username: &str, limit: u32) -> Vec<Tweet> { timeline(username, limit).await }",
    "#[doc = \" Docs.\"] #[cfg(unix)] #[expect(dead_code, unused)] pub(crate) async fn user_tweets(username: &str, \
     mut limit: u32, db: &Arc<Db>, (a, b): (u8, Option<&str>)) -> Result<Vec<Tweet>, Error> { db.get(a, b).await? }",
    "#[instrument(skip(db))] #[cfg_attr(unix, allow(unused), inline)] async fn user_tweets(username: &[&str], \
     limit: &&str, db: Cow<'_, str>, r#type: [u8; 4], _: fn(&str) -> &str) -> &'static str { \"\" }",
    "async fn user_tweets<'a, T: Into<u8>, const N: usize>(&self, username: &'a T, limit: [u8; N], db: impl Clone) \
     -> Result<Self, Error> where T: 'static { match self { x => Ok(make!(self, x)?) } }",
    "pub fn user_tweets(self: &Arc<Self>, username: &str) -> impl Future<Output = Vec<Tweet>> + Send { async { vec![] } }",
    "async unsafe extern \"C\" fn user_tweets<'a, T: Into<u8>>(&self, username: &'a mut T, limit: f64, db: impl Fn(&str), \
     dynamic: &dyn Trait) -> impl Iterator<Item = &'a T> where T: 'a { std::iter::empty() }",
];

#[test]
fn no_input_panics_or_loses_the_function() {
    let mut random = Random(0x5eed);
    let mut expanded = 0;
    for round in 0..ROUNDS {
        for attribute in ATTRIBUTES {
            let item = ITEMS[random.below(ITEMS.len())];
            let mut attribute = mutated(tokens(attribute), round % 4, &mut random);
            let mut item = with_mutated_signature(item, (round / 4) % 3, &mut random);
            if round % 5 == 0 {
                attribute = crossed(attribute, &item, &mut random);
                item = crossed(item, &attribute, &mut random);
            }
            expanded += usize::from(check(&attribute, &item));
        }
    }
    // If fewer are expanded, the mutations are too wild to test `expand`.
    assert!(expanded > 300, "{expanded} expanded");
}

/// Whether it was expanded.
fn check(attribute: &TokenStream, item: &TokenStream) -> bool {
    let output = crate::expand(attribute.clone(), item.clone());
    let shown = || format!("#[cacheback({attribute})]\n{item}\n=>\n{output}");
    let refused = output.to_string().contains("compile_error");
    if refused {
        assert!(output.to_string().starts_with(&item.to_string()), "{}", shown());
    }
    if let Ok(function) = syn::parse2::<syn::ItemFn>(item.clone()) {
        assert!(contains(&output, &function.sig.ident), "{}", shown());
    }
    if !refused || syn::parse2::<syn::Item>(item.clone()).is_ok() {
        syn::parse2::<syn::File>(output.clone()).unwrap_or_else(|error| panic!("{error}\n{}", shown()));
    }
    !refused
}

fn contains(tokens: &TokenStream, ident: &Ident) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(found) => found == *ident,
        TokenTree::Group(group) => contains(&group.stream(), ident),
        _ => false,
    })
}

/// Mutates what comes before the body.
fn with_mutated_signature(item: &str, times: usize, random: &mut Random) -> TokenStream {
    let mut trees: Vec<TokenTree> = tokens(item).into_iter().collect();
    let body = trees.pop();
    let signature = mutated(trees.into_iter().collect(), times, random);
    signature.into_iter().chain(body).collect()
}

fn mutated(mut tokens: TokenStream, times: usize, random: &mut Random) -> TokenStream {
    for _ in 0..times {
        tokens = mutated_once(tokens, random);
    }
    tokens
}

fn mutated_once(tokens: TokenStream, random: &mut Random) -> TokenStream {
    let mut trees: Vec<TokenTree> = tokens.into_iter().collect();
    if trees.is_empty() {
        return TokenStream::new();
    }
    let at = random.below(trees.len());
    if let TokenTree::Group(group) = &trees[at] {
        if random.below(4) > 0 {
            let inner = mutated_once(group.stream(), random);
            trees[at] = Group::new(group.delimiter(), inner).into();
            return trees.into_iter().collect();
        }
    }
    match random.below(7) {
        0 => drop(trees.remove(at)),
        1 => trees.insert(at, trees[at].clone()),
        2 => {
            let other = random.below(trees.len());
            trees.swap(at, other);
        }
        3 => trees.truncate(at),
        4 => trees[at] = Group::new(Delimiter::None, trees[at].to_token_stream()).into(),
        5 => trees[at] = Group::new(Delimiter::Parenthesis, trees[at].to_token_stream()).into(),
        _ => {
            // Not `crate`: syn takes a block that begins with it for an item, and cannot read `{ crate }`.
            let words = ["self", "Self", "super", "_", "limit", "async", "mut", "username"];
            trees[at] = Ident::new(words[random.below(words.len())], Span::call_site()).into();
        }
    }
    trees.into_iter().collect()
}

/// One token replaced by one of the other stream.
fn crossed(tokens: TokenStream, other: &TokenStream, random: &mut Random) -> TokenStream {
    let mut trees: Vec<TokenTree> = tokens.into_iter().collect();
    let others: Vec<TokenTree> = other.clone().into_iter().collect();
    if !trees.is_empty() && !others.is_empty() {
        let at = random.below(trees.len());
        trees[at] = others[random.below(others.len())].clone();
    }
    trees.into_iter().collect()
}

/// Splitmix: the same mutations in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap_or_default()
    }
}
