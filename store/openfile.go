package store

// openFile is a file under way: hidden beside its place until it is whole.
type openFile struct {
	fs    FS
	path  string // in the lake
	temp  string // absolute
	f     WritableFile
	table *tableWriter
	sink  *hashingWriter

	partition Partition
}

// abandon drops a file under way and passes the error on. What cannot be
// deleted now is in the pending file.
func (f *openFile) abandon(err error) error {
	f.f.Close()
	f.fs.Remove(f.temp)
	return err
}

// seal makes the file whole and durable under its own name.
func (f *openFile) seal(l layout) error {
	// The mode comes first, so that the sync covers it.
	if err := f.fs.Chmod(f.temp, l.dataMode()); err != nil {
		return f.abandon(err)
	}
	if err := f.f.Sync(); err != nil {
		return f.abandon(err)
	}
	if err := f.f.Close(); err != nil {
		return err
	}
	return f.fs.Rename(f.temp, l.path(f.path))
}

func (f *openFile) newFile(rows int64, stats Stats) newFile {
	made := newFile{path: f.path, partition: f.partition, size: f.sink.size, sha256: f.sink.hex(), rows: rows, stats: stats}
	if f.table != nil {
		made.level = f.table.form.Level
	}
	return made
}
