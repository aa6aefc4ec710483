package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What processes use, read from Linux's /proc. Elsewhere it reads as 0, and a
// report shows nothing of it.

// threadsCPU is what the threads of a process whose name begins so have used.
// librdkafka's are named rdk:…; they are no threads of Go, whose profiles show them
// as one line.
func threadsCPU(pid int, prefix string) (used time.Duration) {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", pid))
	for _, file := range names {
		name, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(name), prefix) {
			continue // a thread that has ended meanwhile
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "schedstat"))
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(text), " ")
		nanos, _ := strconv.ParseInt(first, 10, 64)
		used += time.Duration(nanos)
	}
	return used
}

// machineCPU is what all cores have worked since the machine began.
func machineCPU() time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(first) // cpu user nice system idle iowait irq softirq …
	var used time.Duration
	for i, field := range fields {
		if i == 0 || i == 4 || i == 5 || i > 7 {
			continue
		}
		ticks, _ := strconv.ParseInt(field, 10, 64)
		used += time.Duration(ticks) * tick
	}
	return used
}

// redisUse is what a Redis has used.
type redisUse struct {
	cpu    time.Duration
	memory int64 // bytes
}

// redisUse asks Redis, of all who use it.
func (b *bench) redisUse(ctx context.Context) (redisUse, error) {
	client, err := b.redisClient()
	if err != nil {
		return redisUse{}, err
	}
	defer func() { _ = client.Close() }()
	text, err := client.InfoMap(ctx, "cpu", "memory").Result()
	if err != nil {
		return redisUse{}, fmt.Errorf("ask Redis what it uses: %w", err)
	}
	seconds := func(name string) time.Duration {
		n, _ := strconv.ParseFloat(text["CPU"][name], 64)
		return time.Duration(n * float64(time.Second))
	}
	memory, _ := strconv.ParseInt(text["Memory"]["used_memory"], 10, 64)
	return redisUse{cpu: seconds("used_cpu_user") + seconds("used_cpu_sys"), memory: memory}, nil
}

func (b *bench) redisClient() (*redis.Client, error) {
	options, err := redis.ParseURL(b.redis)
	if err != nil {
		return nil, errors.New("REDIS_URL: is no URL of a Redis") // the parser's words may hold the password
	}
	return redis.NewClient(options), nil
}
