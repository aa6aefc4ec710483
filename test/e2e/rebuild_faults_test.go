package e2e

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/stack"
)

// outage is a service that goes away as a phase of a rebuild begins.
type outage struct{ service, phase string }

// outages are some, or with REBUILD_FAULTS (`make outages`) all.
func outages() []outage {
	if os.Getenv("REBUILD_FAULTS") == "" {
		return []outage{{stack.KafkaService, "swap"}, {stack.OpenSearchService, "block"}}
	}
	var all []outage
	for _, service := range []string{stack.KafkaService, stack.OpenSearchService} {
		for _, phase := range []string{"check", "fold", "load", "catch up", "swap", "block", "drain", "clean up"} {
			all = append(all, outage{service, phase})
		}
	}
	return all
}

// kafkaAway is for how long Kafka is away. OpenSearch needs longer than that to start.
const kafkaAway = 8 * time.Second

// A service is away as a phase of a rebuild begins, and comes back: the rebuild waits
// for it, and the index is right. Where it has just begun it may end instead, and the
// next one does it.
func TestRebuildWhileAServiceIsAway(t *testing.T) {
	t.Parallel()
	private := stack.Private(t)
	x := newIndexer(t).on(private)
	s := ofRecords(t, newStream(smallPlan(9)).records)
	x.setup()
	half := len(s.records) / 2
	places, rest := x.publish(s.records[:half]), s.records[half:]
	w := x.start()
	x.awaitReady(w) // librdkafka crashes where it asks for offsets before there is a coordinator (2.15)
	x.awaitCommitted(places)
	all := outages()
	for i, o := range all {
		places = append(places, x.publish(rest[i*len(rest)/len(all):(i+1)*len(rest)/len(all)])...)
		t.Log(x.rebuildThrough(private, o))
		x.ok("verify")
	}
	x.awaitCommitted(places)
	x.must(s, places, true)
	x.wantIndices()
	w.stop()
}

// rebuildThrough rebuilds through an outage, and says what it took.
func (x *indexer) rebuildThrough(private *stack.Instance, o outage) string {
	x.t.Helper()
	r := x.startRebuild("--linger", "1s")
	r.awaitPhase(o.phase)
	must(x.t, r.cmd.Process.Signal(syscall.SIGSTOP)) // it lingers before the phase
	private.Stop(o.service)
	away := time.Now()
	must(x.t, r.cmd.Process.Signal(syscall.SIGCONT))
	if o.service == stack.KafkaService {
		time.Sleep(kafkaAway)
	}
	private.Start(o.service)
	back := time.Now()
	if o.phase == "check" {
		<-r.ended
		x.okRebuild()
	} else {
		r.wantExit(0)
	}
	return fmt.Sprintf("%s away in %s for %s: ended %s after it was back",
		o.service, o.phase, back.Sub(away).Round(time.Second), time.Since(back).Round(time.Second))
}
