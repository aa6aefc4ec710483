package index

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
)

// awaitEveryNode waits until the cluster manager has ended every change of its
// state so far: told to every node, or given up on those that did not answer.
func (c *Client) awaitEveryNode(ctx context.Context) error {
	for {
		health, err := c.health(ctx, opensearchapi.ClusterHealthRequest{WaitForEvents: "languid"})
		if err != nil || !health.TimedOut {
			return err
		}
	}
}

// health is a cluster's or an index's, as far as it is used here.
type health struct {
	Status       string `json:"status"` // green, yellow or red
	TimedOut     bool   `json:"timed_out"`
	DataNodes    int    `json:"number_of_data_nodes"`
	Primaries    int    `json:"active_primary_shards"`
	Active       int    `json:"active_shards"`
	Initializing int    `json:"initializing_shards"`
	Unassigned   int    `json:"unassigned_shards"`
}

// health asks once and waits in the server for a while; what did not come about
// in that time is TimedOut, which has status 408.
func (c *Client) health(ctx context.Context, req opensearchapi.ClusterHealthRequest) (health, error) {
	const patience = 30 * time.Second // below requestTimeout
	req.Timeout = patience
	got, err := c.send(ctx, req)
	if err != nil {
		return health{}, err
	}
	if got.status != http.StatusOK && got.status != http.StatusRequestTimeout {
		return health{}, &serverError{status: got.status, fault: readFault(got.body)}
	}
	var found health
	if err := json.Unmarshal(got.body, &found); err != nil {
		return health{}, fmt.Errorf("read the cluster's health: %w", err)
	}
	return found, nil
}

// awaitCopies waits until every shard has as many copies as it can have.
func (c *Client) awaitCopies(ctx context.Context, index string) (note string, err error) {
	const pause = 500 * time.Millisecond
	settled := true
	for {
		now, err := c.health(ctx, opensearchapi.ClusterHealthRequest{Index: []string{index}, WaitForNoInitializingShards: &settled})
		if err != nil {
			return "", fmt.Errorf("wait for the shards of index %s: %w", index, err)
		}
		if done, note := now.copies(); done {
			return note, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the shards of index %s, which is %s with %d shards missing (GET _cluster/allocation/explain tells why): %w",
				index, now.Status, now.Initializing+now.Unassigned, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// copies reports whether every shard of an index has all copies that there are
// nodes for, as two copies of one shard never share a node.
func (h health) copies() (all bool, note string) {
	if h.Status == "green" {
		return true, ""
	}
	if h.Status != "yellow" || h.Primaries == 0 {
		return false, ""
	}
	wanted := (h.Active + h.Initializing + h.Unassigned) / h.Primaries
	if wanted <= h.DataNodes || h.Active < h.Primaries*h.DataNodes {
		return false, ""
	}
	return true, fmt.Sprintf("each shard has %d copies of %d: the cluster has %d data nodes", h.DataNodes, wanted, h.DataNodes)
}
