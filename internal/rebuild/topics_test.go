package rebuild

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/search-indexer/search-indexer/test/e2e"
)

// A topic that is made again meanwhile has taken its last events with it: that is
// refused before the swap, and told behind it. What comes then is joined.
func TestATopicIsMadeAgainMeanwhile(t *testing.T) {
	for _, phase := range []Phase{PhaseCatchUp, PhaseDrain} {
		t.Run(string(phase), func(t *testing.T) {
			s := newStand(t)
			s.setup()
			s.index(t.Context(), s.client, s.post("a", 1))
			b := s.rebuild(at(phase, func(context.Context) error {
				s.remake("post.created")
				s.post("b", 1)
				return nil
			}))
			err := b.Run(t.Context())
			told := strings.Join(b.Report().Notes, "\n")
			if phase == PhaseCatchUp {
				var refused *RefusedError
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), "made again") {
					t.Errorf("got %v", err)
				}
				s.ok(func(_ *Parts, o *Options) { o.Seed = true })
			} else if err != nil || !strings.Contains(told, "made again") {
				t.Errorf("got %v, told %q", err, told)
			}
			visible, _, err := s.client.Count(t.Context(), s.live())
			if err != nil || visible != 2 {
				t.Errorf("%d documents, %v", visible, err)
			}
		})
	}
}

// Partitions that are added meanwhile are joined from their beginning.
func TestATopicGrowsMeanwhile(t *testing.T) {
	for _, phase := range []Phase{PhaseFold, PhaseCatchUp, PhaseDrain} {
		t.Run(string(phase), func(t *testing.T) {
			s := newStand(t)
			s.setup()
			s.index(t.Context(), s.client, s.post("a", 1))
			s.ok(at(phase, func(ctx context.Context) error {
				topic := s.kafka.TopicPrefix + "post.created"
				if err := s.broker().Grow(ctx, topic, 8); err != nil {
					return err
				}
				s.await("its partitions", func() bool {
					topics, err := s.broker().Topics()
					return err == nil && topics[topic] == 8
				})
				for i := range 20 {
					s.post(fmt.Sprint(i), 1)
				}
				return nil
			}))
			s.right()
		})
	}
}

func (s *stand) broker() e2e.Broker { return e2e.Broker{Addresses: s.kafka.Brokers[0]} }

// remake removes a topic and makes it again, empty.
func (s *stand) remake(topic string) {
	s.Helper()
	topic = s.kafka.TopicPrefix + topic
	if err := s.broker().Delete(s.Context(), topic); err != nil {
		s.Fatal(err)
	}
	s.await("its removal", func() bool { return s.broker().Create(s.Context(), 2, topic) == nil })
	s.await("its log", func() bool {
		empty, err := s.broker().Empty(s.Context(), 2, topic)
		return err == nil && empty
	})
}

func (s *stand) await(what string, done func() bool) {
	s.Helper()
	for began := time.Now(); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			s.Fatalf("waited for %s", what)
		}
	}
}
