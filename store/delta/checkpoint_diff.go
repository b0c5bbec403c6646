package delta

import (
	"fmt"
	"maps"
	"slices"
)

// Diff says in one sentence what the checkpoint tells otherwise than the
// snapshot that the entries up to its version give; nothing: they agree. Of
// several differences it is the first. Tombstones may be missing, for they
// expire; but none may name what was never removed. Whether a file's data
// changed is of no meaning in a checkpoint and not compared.
func (c *Checkpoint) Diff(s *Snapshot) string {
	if s.MetaData == nil {
		return "the log has no table at this version"
	}
	for _, differ := range []func(*Snapshot) string{c.diffProtocol, c.diffMetaData, c.diffTxns, c.diffAdds, c.diffRemoves} {
		if diff := differ(s); diff != "" {
			return diff
		}
	}
	return ""
}

// differing is the sentence for the first of the named things that differs.
func differing(what string, things ...thing) string {
	for _, t := range things {
		switch {
		case !t.differs:
		case len(t.have)+len(t.want) > longDiff:
			return fmt.Sprintf("%s: %s is not that of the log", what, t.name)
		default:
			return fmt.Sprintf("%s: %s is %s, in the log %s", what, t.name, t.have, t.want)
		}
	}
	return ""
}

// longDiff is the length of two values that nobody would compare by eye: a
// schema is longer.
const longDiff = 400

type thing struct {
	name       string
	have, want string
	differs    bool
}

func value[T comparable](name string, have, want T) thing {
	return thing{name, quoted(have), quoted(want), have != want}
}

func list(name string, have, want []string) thing {
	return thing{name, fmt.Sprintf("%q", have), fmt.Sprintf("%q", want), !slices.Equal(have, want)}
}

func texts(name string, have, want map[string]string) thing {
	return thing{name, fmt.Sprintf("%q", have), fmt.Sprintf("%q", want), !maps.Equal(have, want)}
}

// quoted makes an empty text, or one with a space at its end, visible.
func quoted(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

func (c *Checkpoint) diffProtocol(s *Snapshot) string {
	have, want := c.Protocol, s.Protocol
	return differing("protocol",
		value("minReaderVersion", have.MinReaderVersion, want.MinReaderVersion),
		value("minWriterVersion", have.MinWriterVersion, want.MinWriterVersion),
		list("readerFeatures", slices.Sorted(slices.Values(have.ReaderFeatures)), slices.Sorted(slices.Values(want.ReaderFeatures))),
		list("writerFeatures", slices.Sorted(slices.Values(have.WriterFeatures)), slices.Sorted(slices.Values(want.WriterFeatures))))
}

func (c *Checkpoint) diffMetaData(s *Snapshot) string {
	have, want := c.MetaData, *s.MetaData
	return differing("metaData",
		value("id", have.ID, want.ID), value("name", have.Name, want.Name), value("description", have.Description, want.Description),
		value("format.provider", have.Format.Provider, want.Format.Provider), texts("format.options", have.Format.Options, want.Format.Options),
		value("schemaString", have.SchemaString, want.SchemaString), list("partitionColumns", have.PartitionColumns, want.PartitionColumns),
		texts("configuration", have.Configuration, want.Configuration), value("createdTime", have.CreatedTime, want.CreatedTime))
}

func (c *Checkpoint) diffTxns(s *Snapshot) string {
	seen := map[string]bool{}
	for _, have := range c.Txns {
		want, ok := s.Txns[have.AppID]
		if !ok || seen[have.AppID] {
			return fmt.Sprintf("it has a txn of application %q too many", have.AppID)
		}
		seen[have.AppID] = true
		diff := differing(fmt.Sprintf("txn of application %q", have.AppID),
			value("version", have.Version, want.Version), value("lastUpdated", have.LastUpdated, want.LastUpdated))
		if diff != "" {
			return diff
		}
	}
	for _, app := range slices.Sorted(maps.Keys(s.Txns)) {
		if !seen[app] {
			return fmt.Sprintf("it lacks the txn of application %q", app)
		}
	}
	return ""
}

func (c *Checkpoint) diffAdds(s *Snapshot) string {
	seen := map[string]bool{}
	for _, have := range c.Adds {
		name, err := FilePath(have.Path)
		if err != nil {
			return err.Error()
		}
		want, ok := s.files[name]
		switch {
		case !ok:
			return fmt.Sprintf("it has file %q, which the table has not", name)
		case seen[name]:
			return fmt.Sprintf("it has file %q twice", name)
		}
		seen[name] = true
		if have.Stats == "" && s.MetaData.Configuration[statsAsJSON] == "false" {
			have.Stats = want.Stats // such a table has them in other columns
		}
		if diff := diffAdd(name, have, want.Add); diff != "" {
			return diff
		}
	}
	for _, f := range s.Files() {
		if !seen[f.Name] {
			return fmt.Sprintf("it lacks file %q (%d of %d files are in it)", f.Name, len(seen), len(s.files))
		}
	}
	return ""
}

const statsAsJSON = "delta.checkpoint.writeStatsAsJson"

func diffAdd(name string, have, want Add) string {
	return differing(fmt.Sprintf("file %q", name),
		value("size", have.Size, want.Size), value("modificationTime", have.ModificationTime, want.ModificationTime),
		partition(have.PartitionValues, want.PartitionValues),
		value("stats", have.Stats, want.Stats), texts("tags", have.Tags, want.Tags))
}

func partition(have, want map[string]*string) thing {
	same := maps.EqualFunc(have, want, func(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b })
	return thing{"partitionValues", partitionText(have), partitionText(want), !same}
}

func partitionText(values map[string]*string) string {
	text := map[string]string{}
	for key, v := range values {
		text[key] = "NULL"
		if v != nil {
			text[key] = fmt.Sprintf("%q", *v)
		}
	}
	return fmt.Sprint(text)
}

func (c *Checkpoint) diffRemoves(s *Snapshot) string {
	for _, r := range c.Removes {
		name, err := FilePath(r.Path)
		if err != nil {
			return err.Error()
		}
		if !s.WasRemoved(name) {
			return fmt.Sprintf("it says that file %q was removed, and no entry does", name)
		}
	}
	return ""
}
