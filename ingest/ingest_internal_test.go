package ingest

// Doors for the tests of the package from outside.

// SetCommitBytes makes a run commit after so many bytes.
func (o *Options) SetCommitBytes(n int64) { o.commitBytes = n }

// SetLimits makes an import work with small sizes.
func (o *ImportOptions) SetLimits(block int, commit int64, line int) {
	o.limits = importLimits{block: block, commit: commit, line: line, join: commit}
}
