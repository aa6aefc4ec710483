package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/search-indexer/search-indexer/internal/index"
)

// upkeep is what was last heard of those who change indices as a whole: they are
// other processes, which may have died. It is safe for concurrent use.
type upkeep struct {
	// patience is how long a lock goes without a renewal until its holder counts as
	// dead.
	patience time.Duration

	mu         sync.Mutex
	unfinished []index.Next
	holder     index.Holder
	held       bool
	renewed    time.Time // when the lock was first seen as it is
}

// look asks OpenSearch. Where that can't tell, what is known stays.
func (u *upkeep) look(ctx context.Context, client *index.Client) {
	unfinished, err := client.Unfinished(ctx)
	holder, held, lockErr := client.LockHolder(ctx)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err == nil {
		u.unfinished = unfinished
	}
	if lockErr == nil && (holder != u.holder || held != u.held) {
		u.holder, u.held, u.renewed = holder, held, time.Now()
	}
}

// upkeepStatus is what /status shows of it.
type upkeepStatus struct {
	Rebuilds []string    `json:"rebuilds"` // that are not done, as sentences
	Lock     *lockStatus `json:"lock"`     // null where nobody has it
}

type lockStatus struct {
	Command string    `json:"command"`
	Owner   string    `json:"owner"`
	Since   time.Time `json:"since"`
	Alive   *bool     `json:"alive"` // its holder renews it; null where nobody has watched for long enough
	// Progress is some seconds old; null where the holder tells none.
	Progress *index.Progress `json:"progress"`
}

// isRebuild tells that a rebuild has the lock and is not known to have died.
func (s *lockStatus) isRebuild() bool {
	return s != nil && s.Command == rebuildCommand && (s.Alive == nil || *s.Alive)
}

func lockStatusOf(h index.Holder, alive *bool) *lockStatus {
	s := &lockStatus{Command: h.Command, Owner: h.Owner, Since: h.Since, Alive: alive}
	if h.Progress.Phase != "" {
		s.Progress = &h.Progress
	}
	return s
}

func (u *upkeep) status() upkeepStatus {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := upkeepStatus{Rebuilds: unfinishedText(u.unfinished, u.rebuilds())}
	if u.held {
		alive := u.alive()
		s.Lock = lockStatusOf(u.holder, &alive)
	}
	return s
}

// alive needs u.mu.
func (u *upkeep) alive() bool { return u.held && time.Since(u.renewed) < u.patience }

// rebuilds tells that a rebuild is under way. It needs u.mu.
func (u *upkeep) rebuilds() bool { return u.alive() && u.holder.Command == rebuildCommand }

// rebuilding is rebuilds for who does not have u.mu.
func (u *upkeep) rebuilding() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.rebuilds()
}

// Describe implements [prometheus.Collector].
func (u *upkeep) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(u, ch) }

// Collect implements [prometheus.Collector].
func (u *upkeep) Collect(ch chan<- prometheus.Metric) {
	u.mu.Lock()
	defer u.mu.Unlock()
	unfinished := prometheus.NewDesc("indexer_rebuild_unfinished",
		"1 where an index of a rebuild stands that is not done, be it under way or given up.", []string{"entity"}, nil)
	for _, entity := range index.Entities() {
		found := 0.0
		for _, next := range u.unfinished {
			if next.Entity == entity {
				found = 1
			}
		}
		ch <- prometheus.MustNewConstMetric(unfinished, prometheus.GaugeValue, found, string(entity))
	}
	running := 0.0
	if u.rebuilds() {
		running = 1
	}
	ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("indexer_rebuild_running",
		"1 while a rebuild has the lock on the indices and renews it.", nil, nil), prometheus.GaugeValue, running)
}
