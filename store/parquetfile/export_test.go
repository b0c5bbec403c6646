package parquetfile

// Limits are those of a writer, small so that a few rows meet all of them.
type Limits struct {
	PageEntries, DictionaryPage, DictionaryBytes, SampleValues, Page, Aside, Kept int
}

// SetLimits gives a writer other limits; zero leaves one as it is.
func (w *Writer) SetLimits(l Limits) {
	set := func(limit *int, n int) {
		if n > 0 {
			*limit = n
		}
	}
	set(&w.limits.pageEntries, l.PageEntries)
	set(&w.limits.dictionaryPage, l.DictionaryPage)
	set(&w.limits.dictionaryBytes, l.DictionaryBytes)
	set(&w.limits.sampleValues, l.SampleValues)
	set(&w.limits.page, l.Page)
	set(&w.limits.aside, l.Aside)
	set(&w.limits.kept, l.Kept)
}
