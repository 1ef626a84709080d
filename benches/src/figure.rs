//! Measured figures, and their form on the way from the process that measures to the process that reports.

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) load: String,
    pub(crate) case: String,
    pub(crate) contender: String,
    pub(crate) metric: String,
    pub(crate) value: f64,
}

impl Figure {
    pub(crate) fn line(&self) -> String {
        format!("{}\t{}\t{}\t{}\t{}", self.load, self.case, self.contender, self.metric, self.value)
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split('\t').map(str::to_owned);
        Some(Self {
            load: parts.next()?,
            case: parts.next()?,
            contender: parts.next()?,
            metric: parts.next()?,
            value: parts.next()?.parse().ok()?,
        })
    }

    /// Everything but the value.
    pub(crate) fn place(&self) -> [&str; 4] {
        [&self.load, &self.case, &self.contender, &self.metric]
    }
}

/// Prints the figures of one load for the parent process, one on each line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sink {
    pub(crate) load: &'static str,
}

impl Sink {
    pub(crate) fn put(&self, case: &str, contender: &str, metric: &str, value: f64) {
        let figure = Figure {
            load: self.load.to_owned(),
            case: case.to_owned(),
            contender: contender.to_owned(),
            metric: metric.to_owned(),
            value,
        };
        println!("{}", figure.line());
    }
}

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures(pub(crate) Vec<Figure>);

impl Figures {
    pub(crate) fn get(&self, load: &str, case: &str, contender: &str, metric: &str) -> Option<f64> {
        let is = |one: &&Figure| {
            one.load == load && one.case == case && one.contender == contender && one.metric == metric
        };
        self.0.iter().find(is).map(|one| one.value)
    }

    /// The contenders of a load, in the order of their first figures. With a case, only the contenders of that case.
    pub(crate) fn contenders(&self, load: &str, case: Option<&str>) -> Vec<&str> {
        let mut names = Vec::new();
        for one in self.0.iter().filter(|one| one.load == load && case.is_none_or(|case| one.case == case)) {
            if !names.contains(&one.contender.as_str()) {
                names.push(&one.contender);
            }
        }
        names
    }

    pub(crate) fn cases(&self, load: &str) -> Vec<&str> {
        let mut names = Vec::new();
        for one in self.0.iter().filter(|one| one.load == load) {
            if !names.contains(&one.case.as_str()) {
                names.push(&one.case);
            }
        }
        names
    }

    pub(crate) fn has(&self, load: &str) -> bool {
        self.0.iter().any(|one| one.load == load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_brings_the_figure_back() {
        let figure = Figure {
            load: "hits".to_owned(),
            case: "u64|hot|1".to_owned(),
            contender: "moka sync, get".to_owned(),
            metric: "ns".to_owned(),
            value: 0.1 + 0.2,
        };
        assert_eq!(Figure::parse(&figure.line()), Some(figure));
        assert_eq!(Figure::parse("a log line"), None);
    }
}
