package ingest

import (
	"errors"

	"mdcalake/store"
)

// PageRecords reads the bodies of kept pages again, as the run did that
// received them. It is used by one goroutine.
func PageRecords() store.PageReader {
	decoder := NewDecoder()
	var row store.Row
	return func(body []byte, each func(record []byte, row *store.Row) error) error {
		var p Page
		if err := ParsePage(body, &p); err != nil {
			return err
		}
		for _, record := range p.Records {
			lifted := &row
			err := decoder.Decode(record, lifted)
			var unusable *Unusable
			switch {
			case errors.As(err, &unusable):
				lifted = nil
			case err != nil:
				return err
			}
			if err := each(record, lifted); err != nil {
				return err
			}
		}
		return nil
	}
}
