package pipeline

import (
	"container/heap"
	"time"
)

// timers holds what is to happen at a later time. Equal times fire in the order
// they were added, so that a simulation replays exactly.
type timers struct {
	heap  timerHeap
	added uint64
}

type timer struct {
	at     time.Time
	number uint64
	do     func()
}

func (t *timers) add(at time.Time, do func()) {
	t.added++
	heap.Push(&t.heap, timer{at, t.added, do})
}

func (t *timers) fire(now time.Time) {
	for len(t.heap) > 0 && !t.heap[0].at.After(now) {
		heap.Pop(&t.heap).(timer).do() //nolint:forcetypeassert // only timers are pushed
	}
}

func (t *timers) next() (time.Time, bool) {
	if len(t.heap) == 0 {
		return time.Time{}, false
	}
	return t.heap[0].at, true
}

type timerHeap []timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].number < h[j].number
	}
	return h[i].at.Before(h[j].at)
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)   { *h = append(*h, x.(timer)) } //nolint:forcetypeassert // only timers are pushed
func (h *timerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = timer{}
	*h = (*h)[:len(*h)-1]
	return last
}
