package store

import (
	"path"
	"path/filepath"
	"strings"

	"mdcalake/store/delta"
)

// What of a fold the cached fold holds: all of it. A field that is added to one
// of these types is added here too, and foldFormat raised.

func (c *foldCodec) fold(s *fold) {
	c.text(&s.head)
	c.number(&s.ingested)
	c.text(&s.tenant.Host)
	codeList(c, &s.tenant.IDs, 1, c.number)
	c.flag(&s.tenant.Several)
	c.deltaTable(s)
	c.sideFiles(revisionsDir, &s.revisions)
	c.sideFiles(quarantineDir, &s.quarantine)
	c.sideFiles(erasedDir, &s.erased)
	c.sideFiles(pagesDir, &s.pages)
	codeTable(c, &s.removed, 1, c.flag)
	c.runs(s)
	codeList(c, &s.coverage, leastRectangle, c.rectangle)
	c.cursors(s)
	codeTable(c, &s.seen, 3, func(v *Sighting) {
		c.number(&v.Times)
		c.time(&v.LastSeen)
	})
	codeList(c, &s.purges, 12, c.purge)
	codeList(c, &s.foreign, 1, c.number)
	codeList(c, &s.adoptions, 7, c.adoption)
	codeList(c, &s.broken, 3, func(b *chainFault) {
		c.number(&b.version)
		c.textsOf(&b.want, &b.have)
	})
}

// The fewest bytes that an element takes, whatever is in it: one a field.
const (
	leastFile      = 17
	leastRemoved   = 8
	leastRun       = 21
	leastRectangle = 13
	leastCursor    = 10
)

// deltaTable is the state of the Delta table, with all that a checkpoint of it
// needs, and our view of its files.
func (c *foldCodec) deltaTable(s *fold) {
	t := delta.Snapshot{Version: s.table.Version, Protocol: s.table.Protocol, MetaData: s.table.MetaData, Txns: s.table.Txns}
	c.number(&t.Version)
	c.protocol(&t.Protocol)
	c.metaData(&t.MetaData)
	codeTable(c, &t.Txns, 3, func(txn *delta.Txn) {
		c.text(&txn.AppID)
		c.numbers(&txn.Version, &txn.LastUpdated)
	})
	var files []delta.File
	var removed []delta.Removed
	if !c.reading {
		files, removed = s.table.Files(), s.table.Removed()
	}
	n := c.count(len(files), leastFile)
	if c.reading {
		files = make([]delta.File, max(n, 0))
		s.files = make(map[string]File, len(files))
	}
	for i := range files {
		c.file(s, &files[i])
	}
	codeList(c, &removed, leastRemoved, c.removed)
	if c.reading {
		s.table = delta.RestoreSnapshot(t, files, removed)
	}
}

func (c *foldCodec) protocol(p *delta.Protocol) {
	reader, writer := int64(p.MinReaderVersion), int64(p.MinWriterVersion)
	c.numbers(&reader, &writer)
	p.MinReaderVersion, p.MinWriterVersion = int(reader), int(writer)
	codeList(c, &p.ReaderFeatures, 1, c.text)
	codeList(c, &p.WriterFeatures, 1, c.text)
}

func (c *foldCodec) metaData(p **delta.MetaData) {
	has := *p != nil
	c.flag(&has)
	if !has {
		return
	}
	if c.reading {
		*p = &delta.MetaData{}
	}
	m := *p
	c.textsOf(&m.ID, &m.Name, &m.Description, &m.Format.Provider, &m.SchemaString)
	codeTable(c, &m.Format.Options, 1, c.text)
	codeList(c, &m.PartitionColumns, 1, c.text)
	codeTable(c, &m.Configuration, 1, c.text)
	c.number(&m.CreatedTime)
}

// file is a file of the table, and as we see it.
func (c *foldCodec) file(s *fold, f *delta.File) {
	rel := activitiesDir + "/" + f.Name
	c.plain(&rel)
	f.Name = c.below(activitiesDir, rel)
	c.encodedPath(&f.Path, f.Name)
	c.partitionValues(&f.PartitionValues)
	c.numbers(&f.Version, &f.Size, &f.ModificationTime)
	c.flag(&f.DataChange)
	c.plain(&f.Add.Stats)
	c.tags(&f.Tags)
	c.bytes((*[]byte)(&f.DeletionVector))
	ours, placed := s.files[rel]
	c.flag(&placed)
	if placed {
		ours.Path, ours.Size, ours.Version = rel, f.Size, f.Version
		c.placedFile(&ours)
	}
	switch {
	case !c.reading || c.bad:
	case placed:
		s.files[rel] = ours
	case c.light:
		c.fault()
	default:
		// What is odd about it follows from what the table says.
		if file, err := activitiesFile(f.Version, f.Name, &f.Add); err != nil {
			s.odd[rel] = oddFile{file, err}
		} else {
			c.fault()
		}
	}
}

// below is a path without its directory. One that leaves it is a fault: the
// log's own paths were looked at when it was folded.
func (c *foldCodec) below(dir, rel string) string {
	name, ok := strings.CutPrefix(rel, dir+"/")
	if c.reading && !c.bad && (!ok || path.Clean(name) != name || !filepath.IsLocal(filepath.FromSlash(name))) {
		c.fault()
	}
	return name
}

// encodedPath is the path in the log, which is nearly always the name itself.
func (c *foldCodec) encodedPath(p *string, name string) {
	same := *p == name
	c.flag(&same)
	if !same {
		c.plain(p)
	} else if c.reading {
		*p = name
	}
}

func (c *foldCodec) placedFile(f *File) {
	day, level := int64(f.Partition.Day), int64(f.Level)
	c.numbers(&day, &f.Partition.Service, &f.Rows, &level)
	f.Partition.Day, f.Level = int32(day), int(level)
	c.text(&f.SHA256)
	c.stats(&f.Stats)
}

func (c *foldCodec) stats(s *Stats) {
	for _, r := range []*Range{&s.Timestamp, &s.Created, &s.Ingested, &s.AppID} {
		c.numbers(&r.Min, &r.Max, &r.Nulls)
	}
}

func (c *foldCodec) removed(r *delta.Removed) {
	c.plain(&r.Name)
	c.encodedPath(&r.Path, r.Name)
	c.numbers(&r.Version, &r.DeletionTimestamp, &r.Size)
	c.flag(&r.DataChange)
	c.flag(&r.ExtendedMetadata)
	c.partitionValues(&r.PartitionValues)
	c.bytes((*[]byte)(&r.DeletionVector))
}

// sideFiles are those of a table that Delta does not know.
func (c *foldCodec) sideFiles(dir string, files *map[string]File) {
	codeTable(c, files, leastFile, func(f *File) {
		c.text(&f.Path)
		c.below(dir, f.Path)
		c.numbers(&f.Size, &f.Version)
		c.placedFile(f)
	})
}

func (c *foldCodec) runs(s *fold) {
	n := c.count(len(s.inOrder), leastRun)
	if !c.reading {
		for _, r := range s.inOrder {
			c.run(r)
		}
		return
	}
	if n <= 0 {
		return
	}
	runs := make([]Run, n)
	s.inOrder, s.runs = make([]*Run, len(runs)), make(map[string]*Run, len(runs))
	for i := range runs {
		if c.bad {
			return
		}
		c.run(&runs[i])
		s.inOrder[i], s.runs[runs[i].RunID] = &runs[i], &runs[i]
	}
}

func (c *foldCodec) run(r *Run) {
	c.textsOf(&r.RunID, &r.Outcome, &r.Verb, &r.Host, &r.CredentialKind, &r.ClientID, &r.ToolVersion, &r.Operator, &r.CaseID)
	c.times(&r.Started, &r.Ended)
	c.optional(&r.ClockOffsetMS)
	c.numbers(&r.Requests, &r.PageSize, &r.PageRecords, &r.Records, &r.Added, &r.Duplicates, &r.Revisions, &r.Quarantined, &r.Erased, &r.Bytes, &r.LogVersion)
	codeTable(c, &r.Drift, 1, c.number)
}

func (c *foldCodec) rectangle(r *Rectangle) {
	c.times(&r.Since, &r.Until, &r.SinceCreated, &r.ThroughCreated)
	c.optional(&r.Service)
	c.textsOf(&r.State, &r.Filter, &r.Route, &r.RunID, &r.Reason)
	c.numbers(&r.Records, &r.Requests)
}

func (c *foldCodec) cursors(s *fold) {
	cursors := s.cursors
	codeTable(c, &cursors, leastCursor, c.cursor)
	if c.reading {
		for _, cursor := range cursors {
			s.setCursor(cursor)
		}
	}
}

func (c *foldCodec) cursor(r *Cursor) {
	c.textsOf(&r.Key, &r.RunID)
	c.flag(&r.Done)
	c.bytes(&r.Filters)
	c.times(&r.FirstAsked, &r.At)
	c.numbers(&r.Pages, &r.Records, &r.Requests)
}

func (c *foldCodec) purge(p *Purge) {
	c.numbers(&p.Version, &p.Rows, &p.Revisions, &p.Quarantine, &p.Mentions)
	c.textsOf(&p.Kind, &p.Reason)
	c.times(&p.Before, &p.Since, &p.Until)
	codeList(c, &p.Columns, 1, c.text)
	codeList(c, &p.Pages, 1, c.text)
}

func (c *foldCodec) adoption(a *Adoption) {
	c.numbers(&a.Version, &a.Lost, &a.Came, &a.Unseen)
	codeList(c, &a.Versions, 1, c.number)
	codeTable(c, &a.Files, 1, c.text)
	c.flag(&a.Reverted)
}
