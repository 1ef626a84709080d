pub(crate) fn fingerprint(shape: u64, version: u64) -> u64 { shape ^ version }
