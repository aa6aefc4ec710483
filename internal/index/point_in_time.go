package index

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
)

const (
	// pointInTimeLife is how long OpenSearch keeps a point in time after each
	// request for it; it bounds what one page may take its reader. A verification reads
	// the log behind the group there, which takes minutes where much is unread.
	pointInTimeLife    = "30m"
	pointInTimeTimeout = 10 * time.Second // to give it back
)

// plainRequest is a request that the client, v2.3.0, has no name for, or one that
// reads the answer by itself and so loses what a refusal says.
type plainRequest struct{ method, path, body string }

// Do implements [opensearchapi.Request].
func (r plainRequest) Do(ctx context.Context, transport opensearchapi.Transport) (*opensearchapi.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.path, strings.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := transport.Perform(req) //nolint:bodyclose // who sends the request closes it
	if err != nil {
		return nil, err
	}
	return &opensearchapi.Response{StatusCode: res.StatusCode, Body: res.Body, Header: res.Header}, nil
}

// pointInTime is what an index held at one moment.
type pointInTime struct {
	id     string
	shards int
}

// openPointInTime holds on to what an index holds now. It is that of the primaries:
// where replicas copy segments, a refresh does not reach them at once.
func (c *Client) openPointInTime(ctx context.Context, index string) (pointInTime, error) {
	var answer struct {
		ID     string `json:"pit_id"`
		Shards struct {
			Total int `json:"total"`
		} `json:"_shards"`
	}
	path := "/" + index + "/_search/point_in_time?preference=_primary&keep_alive=" + pointInTimeLife
	err := c.ask(ctx, plainRequest{method: http.MethodPost, path: path}, &answer)
	return pointInTime{answer.ID, answer.Shards.Total}, err
}

// closePointInTime gives one back, also when ctx has ended. One that can't be given
// back ends by itself.
func (c *Client) closePointInTime(ctx context.Context, at pointInTime) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pointInTimeTimeout)
	defer cancel()
	_ = c.ask(ctx, plainRequest{http.MethodDelete, "/_search/point_in_time", `{"pit_id":["` + at.id + `"]}`}, nil)
}
