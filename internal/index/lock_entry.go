package index

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
)

// lockDocument is the lock as it is stored.
type lockDocument struct {
	Owner   string    `json:"owner"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
	Expires float64   `json:"expires_in"` // seconds after the last renewal
	// Progress is new with each renewal. Entries of older releases have none.
	Progress Progress `json:"progress"`
}

func newLockDocument(request LockRequest) lockDocument {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	const randomPart = 8
	return lockDocument{
		Owner:   fmt.Sprintf("%s process %d (%s)", host, os.Getpid(), rand.Text()[:randomPart]),
		Command: request.Command,
		Since:   time.Now().UTC().Truncate(time.Second),
		Expires: request.TTL.Seconds(),
	}
}

// lockEntry is the lock as it was found; held is false where there is none.
type lockEntry struct {
	lockDocument
	held               bool
	noIndex            bool // nor an index to keep one
	seqNo, primaryTerm int  // as the client's requests take them
}

func (e lockEntry) holder() Holder {
	return Holder{Owner: e.Owner, Command: e.Command, Since: e.Since, TTL: e.ttl(lockTTL), Renewal: e.seqNo, Progress: e.Progress}
}

func (e lockEntry) same(other lockEntry) bool {
	return other.held && e.seqNo == other.seqNo && e.primaryTerm == other.primaryTerm
}

// ttl is its holder's; an entry that some other hand wrote has none.
func (e lockEntry) ttl(fallback time.Duration) time.Duration {
	if ttl := time.Duration(e.Expires * float64(time.Second)); ttl > 0 {
		return ttl
	}
	return fallback
}

func (c *Client) lockIndex() string { return c.cfg.IndexPrefix + "indexer-lock" }

func (c *Client) readLock(ctx context.Context) (lockEntry, error) {
	docs, err := c.documents(ctx, []place{{Index: c.lockIndex(), ID: lockID}})
	if err != nil {
		return lockEntry{}, fmt.Errorf("read the lock: %w", err)
	}
	found := docs[0]
	switch {
	case found.Error != nil && found.Error.has("index_not_found_exception"):
		return lockEntry{noIndex: true}, nil
	case found.Error != nil:
		return lockEntry{}, fmt.Errorf("read the lock: %w", found.Error.ofOne())
	case !found.Found:
		return lockEntry{}, nil
	}
	entry := lockEntry{held: true, seqNo: int(found.SeqNo), primaryTerm: int(found.PrimaryTerm)}
	if err := json.Unmarshal(found.Source, &entry.lockDocument); err != nil {
		return lockEntry{}, fmt.Errorf("read the lock (document %q of %s): %w", lockID, c.lockIndex(), err)
	}
	return entry, nil
}

// writeLock puts a lock in the place of the entry that was found, and of no other;
// an error that isConflict says that there is another by now.
func (c *Client) writeLock(ctx context.Context, found lockEntry, lock lockDocument) (lockEntry, error) {
	if found.noIndex {
		if err := c.makeLockIndex(ctx); err != nil {
			return lockEntry{}, err
		}
	}
	body, err := json.Marshal(lock)
	if err != nil {
		return lockEntry{}, err
	}
	request := opensearchapi.IndexRequest{Index: c.lockIndex(), DocumentID: lockID, Body: bytes.NewReader(body), Timeout: shardTimeout}
	if found.held {
		request.IfSeqNo, request.IfPrimaryTerm = &found.seqNo, &found.primaryTerm
	} else {
		request.OpType = "create"
	}
	var written struct {
		SeqNo       int `json:"_seq_no"`
		PrimaryTerm int `json:"_primary_term"`
	}
	if err := c.ask(ctx, request, &written); err != nil {
		return lockEntry{}, err
	}
	return lockEntry{lockDocument: lock, held: true, seqNo: written.SeqNo, primaryTerm: written.PrimaryTerm}, nil
}

// deleteLock removes the entry that was found, and no other.
func (c *Client) deleteLock(ctx context.Context, found lockEntry) error {
	return c.ask(ctx, opensearchapi.DeleteRequest{
		Index: c.lockIndex(), DocumentID: lockID, IfSeqNo: &found.seqNo, IfPrimaryTerm: &found.primaryTerm, Timeout: shardTimeout,
	}, nil)
}

// makeLockIndex makes the index of the lock, unless it exists.
func (c *Client) makeLockIndex(ctx context.Context) error {
	err := c.ask(ctx, opensearchapi.IndicesCreateRequest{Index: c.lockIndex(), Body: encoded(map[string]any{
		"settings": map[string]any{"index": map[string]any{
			"number_of_shards": 1, "auto_expand_replicas": "0-1", "hidden": true,
		}},
		"mappings": map[string]any{"dynamic": false},
	})}, nil)
	if isTaken(err) {
		return nil
	}
	return err
}

// isTaken reports whether an index was not made because there is one of that name.
func isTaken(err error) bool {
	var refusal *serverError
	return errors.As(err, &refusal) && refusal.fault.has("resource_already_exists_exception")
}

func isConflict(err error) bool {
	var refusal *serverError
	return errors.As(err, &refusal) && refusal.status == http.StatusConflict
}
