package delta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// CheckpointKind is how a checkpoint is laid out.
type CheckpointKind string

// The kinds of the protocol. This package writes and reads the classic one.
const (
	CheckpointClassic   CheckpointKind = "classic"    // one file, V1
	CheckpointMultiPart CheckpointKind = "multi-part" // several files, deprecated
	CheckpointV2        CheckpointKind = "V2"         // the files are named in sidecars
)

// CheckpointKindError says that a checkpoint is another writer's and of a kind
// that this package does not read. The entries say the same.
type CheckpointKindError struct{ Kind CheckpointKind }

func (e *CheckpointKindError) Error() string {
	return fmt.Sprintf("it is a %s checkpoint, which is not of the kind this version reads", e.Kind)
}

// CheckpointName is the file name of the classic checkpoint of a version.
func CheckpointName(version int64) string { return fmt.Sprintf("%020d%s", version, checkpointSuffix) }

const (
	checkpointInfix  = ".checkpoint."
	checkpointSuffix = checkpointInfix + "parquet"
)

// ParseCheckpointName reads the name of a checkpoint, or of a part of one, of
// whatever kind; other files of the directory answer false.
func ParseCheckpointName(name string) (version int64, kind CheckpointKind, ok bool) {
	digits, rest, ok := strings.Cut(name, checkpointInfix)
	if !ok || len(digits) != 20 {
		return 0, "", false
	}
	version, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || version < 0 || digits[0] == '+' || digits[0] == '-' {
		return 0, "", false
	}
	parts := strings.Split(rest, ".")
	last := parts[len(parts)-1]
	switch {
	case rest == "parquet":
		return version, CheckpointClassic, true
	case len(parts) == 3 && last == "parquet" && isPart(parts[0]) && isPart(parts[1]):
		return version, CheckpointMultiPart, true
	case len(parts) == 2 && len(parts[0]) == 36 && (last == "parquet" || last == "json"):
		return version, CheckpointV2, true
	}
	return 0, "", false
}

// isPart says whether a text is the number of a part.
func isPart(text string) bool {
	_, err := strconv.ParseUint(text, 10, 32)
	return err == nil && len(text) == 10
}

// LastCheckpointName is the file that tells a reader where to begin.
const LastCheckpointName = "_last_checkpoint"

// LastCheckpoint is what that file says.
type LastCheckpoint struct {
	Version       int64 `json:"version"`
	Size          int64 `json:"size"` // actions in the checkpoint
	SizeInBytes   int64 `json:"sizeInBytes"`
	NumOfAddFiles int64 `json:"numOfAddFiles"`
}

// Encode writes the file's bytes.
func (l LastCheckpoint) Encode() ([]byte, error) { return json.Marshal(l) }

// DecodeLastCheckpoint reads them. Members that another writer has added are
// passed over. What names a checkpoint of another kind is answered with a
// CheckpointKindError, and its version.
func DecodeLastCheckpoint(data []byte) (LastCheckpoint, error) {
	var all struct {
		LastCheckpoint
		Version *int64          `json:"version"`
		Parts   *int64          `json:"parts"`
		V2      json.RawMessage `json:"v2Checkpoint"`
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return LastCheckpoint{}, err
	}
	if all.Version == nil || *all.Version < 0 {
		return LastCheckpoint{}, errors.New("it names no version")
	}
	last := all.LastCheckpoint
	last.Version = *all.Version
	switch {
	case len(all.V2) > 0 && !bytes.Equal(all.V2, []byte("null")):
		return last, &CheckpointKindError{Kind: CheckpointV2}
	case all.Parts != nil && *all.Parts > 1:
		return last, &CheckpointKindError{Kind: CheckpointMultiPart}
	}
	return last, nil
}

// WriteCheckpoint writes the snapshot's checkpoint, and then, that no reader
// is sent to one that is not there, names it as the last. Both replace what
// has these names.
func WriteCheckpoint(s Storage, snapshot *Snapshot, now time.Time) error {
	data, last, err := EncodeCheckpoint(snapshot, now)
	if err != nil {
		return fmt.Errorf("write checkpoint %d: %w", snapshot.Version, err)
	}
	if err := s.Replace(CheckpointName(snapshot.Version), data); err != nil {
		return fmt.Errorf("write checkpoint %d: %w", snapshot.Version, err)
	}
	pointer, err := last.Encode()
	if err != nil {
		return fmt.Errorf("write %s: %w", LastCheckpointName, err)
	}
	if err := s.Replace(LastCheckpointName, pointer); err != nil {
		return fmt.Errorf("write %s: %w", LastCheckpointName, err)
	}
	return nil
}

// ReadCheckpoint reads the classic checkpoint of a version.
func ReadCheckpoint(s Storage, version int64) (*Checkpoint, error) {
	data, err := s.Read(CheckpointName(version))
	if err != nil {
		return nil, fmt.Errorf("read checkpoint %d: %w", version, err)
	}
	c, err := DecodeCheckpoint(data)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint %d: %w", version, err)
	}
	return c, nil
}
