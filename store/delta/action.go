package delta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// Action is one line of an entry: exactly one member is set. A line with an
// action this package does not know has none set.
type Action struct {
	Protocol   *Protocol       `json:"protocol,omitempty"`
	MetaData   *MetaData       `json:"metaData,omitempty"`
	Add        *Add            `json:"add,omitempty"`
	Remove     *Remove         `json:"remove,omitempty"`
	Txn        *Txn            `json:"txn,omitempty"`
	CommitInfo json.RawMessage `json:"commitInfo,omitempty"`
}

// Protocol says what a reader and a writer must be able to do.
type Protocol struct {
	MinReaderVersion int      `json:"minReaderVersion"`
	MinWriterVersion int      `json:"minWriterVersion"`
	ReaderFeatures   []string `json:"readerFeatures,omitempty"`
	WriterFeatures   []string `json:"writerFeatures,omitempty"`
}

// MetaData describes the table.
type MetaData struct {
	ID               string            `json:"id"`
	Name             string            `json:"name,omitempty"`
	Description      string            `json:"description,omitempty"`
	Format           Format            `json:"format"`
	SchemaString     string            `json:"schemaString"`
	PartitionColumns []string          `json:"partitionColumns"`
	Configuration    map[string]string `json:"configuration"`
	CreatedTime      int64             `json:"createdTime,omitempty"` // ms since 1970
}

// Format is the encoding of the data files.
type Format struct {
	Provider string            `json:"provider"`
	Options  map[string]string `json:"options"`
}

// Add makes a file part of the table. Path is relative to the table and
// percent-encoded, as the protocol asks; see FilePath. A nil partition value
// is the NULL of that column.
type Add struct {
	Path             string             `json:"path"`
	PartitionValues  map[string]*string `json:"partitionValues"`
	Size             int64              `json:"size"`
	ModificationTime int64              `json:"modificationTime"` // ms since 1970
	DataChange       bool               `json:"dataChange"`
	Stats            string             `json:"stats,omitempty"` // JSON text
	Tags             map[string]string  `json:"tags,omitempty"`
	// DeletionVector is kept as it came: a table of ours has none, and a reader
	// that ignored one would show deleted rows.
	DeletionVector json.RawMessage `json:"deletionVector,omitempty"`
}

// Remove takes a file out of the table.
type Remove struct {
	Path              string             `json:"path"`
	DeletionTimestamp int64              `json:"deletionTimestamp,omitempty"` // ms since 1970
	DataChange        bool               `json:"dataChange"`
	ExtendedMetadata  bool               `json:"extendedFileMetadata,omitempty"`
	PartitionValues   map[string]*string `json:"partitionValues,omitempty"`
	Size              int64              `json:"size,omitempty"`
	DeletionVector    json.RawMessage    `json:"deletionVector,omitempty"`
}

// Txn is an application's own watermark.
type Txn struct {
	AppID       string `json:"appId"`
	Version     int64  `json:"version"`
	LastUpdated int64  `json:"lastUpdated,omitempty"`
}

// EncodePath writes a file's path, relative to the table and with slashes, as
// the log wants it.
func EncodePath(name string) string {
	// A colon in the first part would pass for the end of a scheme.
	return strings.ReplaceAll((&url.URL{Path: name}).EscapedPath(), ":", "%3A")
}

// FilePath reads a path of the log. Absolute paths and addresses, which the
// protocol allows for shallow clones, are refused: a lake holds its own files.
// So are paths that climb out of the table.
func FilePath(encoded string) (string, error) {
	u, err := url.Parse(encoded)
	if err != nil {
		return "", fmt.Errorf("file path %q in the log: %w", encoded, err)
	}
	if u.Scheme != "" || u.Host != "" || u.RawQuery != "" || u.Fragment != "" || u.Path == "." || path.Clean(u.Path) != u.Path || !filepath.IsLocal(filepath.FromSlash(u.Path)) {
		return "", fmt.Errorf("file path %q in the log: want one relative to the table", encoded)
	}
	return u.Path, nil
}

// Encode writes an entry: a line per action.
func Encode(actions []Action) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, a := range actions {
		if err := enc.Encode(a); err != nil {
			return nil, fmt.Errorf("encode log entry: %w", err)
		}
	}
	return b.Bytes(), nil
}

// Decode reads an entry. Lines of white space are skipped; a line that is no
// JSON object is an error, with its number.
func Decode(entry []byte) ([]Action, error) {
	var actions []Action
	for n, line := range bytes.Split(entry, []byte{'\n'}) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if line[0] != '{' { // null would pass for an action
			return nil, fmt.Errorf("line %d: want a JSON object", n+1)
		}
		var a Action
		if err := json.Unmarshal(line, &a); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		actions = append(actions, a)
	}
	if len(actions) == 0 {
		return nil, errors.New("no action in it")
	}
	return actions, nil
}
