package chaos

import (
	"context"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"github.com/search-indexer/search-indexer/test/stack"
)

func (r *run) workerFaults() []fault {
	c := r.crew
	one := func(random *rand.Rand) *worker {
		workers := c.now()
		return workers[random.IntN(len(workers))]
	}
	return []fault{
		{"SIGKILL, a new one at once", func(_ context.Context, random *rand.Rand) {
			c.kill(one(random))
			c.fill()
		}},
		{"SIGKILL of all", func(ctx context.Context, random *rand.Rand) {
			for _, w := range c.now() {
				c.kill(w)
			}
			hold(ctx, random, 0, 5*time.Second)
			c.fill()
		}},
		{"SIGTERM, a new one at once", func(_ context.Context, random *rand.Rand) {
			c.stop(one(random))
			c.fill()
		}},
		{"SIGSTOP for longer than the session", func(ctx context.Context, random *rand.Rand) {
			w := one(random)
			w.signal(syscall.SIGSTOP)
			time.Sleep(r.sessionTimeout() + 3*time.Second)
			w.signal(syscall.SIGCONT)
			hold(ctx, random, 2*time.Second, 4*time.Second) // to find out
		}},
		{"one leaves, another joins later", func(ctx context.Context, random *rand.Rand) {
			c.stop(one(random))
			hold(ctx, random, 3*time.Second, 8*time.Second)
			c.fill()
		}},
		{"one joins, another leaves later", func(ctx context.Context, random *rand.Rand) {
			c.start()
			hold(ctx, random, 3*time.Second, 8*time.Second)
			c.stop(one(random))
		}},
	}
}

// away takes a service away for a while.
func (r *run) away(on *stack.Instance, service string, end func(string)) func(context.Context, *rand.Rand) {
	return func(ctx context.Context, random *rand.Rand) {
		end(service)
		hold(ctx, random, 500*time.Millisecond, 5*time.Second)
		on.Start(service)
	}
}

func (r *run) kafkaFaults() []fault {
	return []fault{
		{"stopped, started", r.away(r.kafka, stack.KafkaService, r.kafka.Stop)},
		{"killed, started", r.away(r.kafka, stack.KafkaService, r.kafka.Kill)},
	}
}

func (r *run) memoryFaults() []fault {
	return append(linkFaults(r.memory),
		fault{"stopped, started", r.away(r.redis, stack.RedisService, r.redis.Stop)},
		fault{"killed, started", r.away(r.redis, stack.RedisService, r.redis.Kill)},
		fault{"flushed", func(context.Context, *rand.Rand) { r.flush() }},
	)
}

// flush makes Redis forget everything.
func (r *run) flush() {
	connection, err := net.DialTimeout("tcp", r.memory.proxy.Upstream, 5*time.Second)
	if err != nil {
		r.t.Error(err)
		return
	}
	defer func() { _ = connection.Close() }()
	answer := make([]byte, 5)
	if _, err := connection.Write([]byte("FLUSHALL\r\n")); err != nil {
		r.t.Error(err)
	}
	if _, err := connection.Read(answer); err != nil || string(answer) != "+OK\r\n" {
		r.t.Errorf("FLUSHALL: %q, %v", answer, err)
	}
}

// linkFaults are those of the connections to a service.
func linkFaults(l *link) []fault {
	while := func(poison func(*rand.Rand) func()) func(context.Context, *rand.Rand) {
		return func(ctx context.Context, random *rand.Rand) {
			mend := poison(random)
			defer mend()
			hold(ctx, random, 3*time.Second, 8*time.Second)
		}
	}
	between := func(random *rand.Rand, low, high int64) int64 { return low + random.Int64N(high-low) }
	return []fault{
		// Not by closing the port: another process could take it meanwhile.
		{"every connection cut at once", while(func(*rand.Rand) func() {
			return l.poison(toxic{"reset_peer", "downstream", 1, map[string]int64{"timeout": 0}})
		})},
		{"connections cut after a while", while(func(random *rand.Rand) func() {
			return l.poison(toxic{"reset_peer", "downstream", 0.7, map[string]int64{"timeout": between(random, 50, 1500)}})
		})},
		{"answers delayed", while(func(random *rand.Rand) func() {
			return l.poison(toxic{"latency", "downstream", 1, map[string]int64{"latency": between(random, 200, 3000), "jitter": 200}})
		})},
		{"answers truncated", while(func(random *rand.Rand) func() {
			return l.poison(toxic{"limit_data", "downstream", 0.8, map[string]int64{"bytes": between(random, 1, 20_000)}})
		})},
		{"requests truncated", while(func(random *rand.Rand) func() {
			return l.poison(toxic{"limit_data", "upstream", 0.8, map[string]int64{"bytes": between(random, 1, 200_000)}})
		})},
		{"bandwidth squeezed", while(func(random *rand.Rand) func() {
			return l.poison(toxic{"bandwidth", "upstream", 1, map[string]int64{"rate": between(random, 10, 100)}}) // KB/s
		})},
	}
}
