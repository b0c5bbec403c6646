package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The plain client: the loop that the API's documentation shows for a scan, and
// nothing more. One window, one request after the other, filters replaced by
// nextQueryFilters, until hasNext is not true; what comes is appended to a list.
// It tries a request again that failed altogether, as anybody would, and believes
// everything else. It stands beside ours as a contrast.
type plainClient struct {
	url   string
	sleep func(time.Duration)

	rows     map[string]int // payloads, and how often they are in its list
	requests int
	gaveUp   string // why it ended early
}

const plainTries = 5

// scan reads the activities since a time.
func (p *plainClient) scan(since time.Time) {
	p.rows = map[string]int{}
	filters := json.RawMessage(fmt.Sprintf(`{"date":{"gte":%d}}`, since.UnixMilli()))
	for {
		var page struct {
			Data             []json.RawMessage `json:"data"`
			HasNext          bool              `json:"hasNext"`
			NextQueryFilters json.RawMessage   `json:"nextQueryFilters"`
		}
		if err := p.post(map[string]any{"filters": filters, "isScan": true}, &page); err != nil {
			p.gaveUp = err.Error()
			return
		}
		for _, record := range page.Data {
			sum := sha256.Sum256(record)
			p.rows[hex.EncodeToString(sum[:])]++
		}
		if !page.HasNext {
			return
		}
		filters = page.NextQueryFilters
	}
}

func (p *plainClient) post(question any, answer any) (err error) {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	for try := range plainTries {
		if try > 0 {
			p.sleep(time.Minute)
		}
		if err = p.once(body, answer); err == nil {
			return nil
		}
	}
	return err
}

func (p *plainClient) once(body []byte, answer any) error {
	p.requests++
	r, err := http.NewRequest(http.MethodPost, p.url+"/api/v1/activities/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Token "+canary)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, answer)
}
