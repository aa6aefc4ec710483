package index

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opensearch-project/opensearch-go/v2/opensearchapi"
)

// DiskSpace is what the data nodes of a cluster have room for.
type DiskSpace struct {
	// FreeBelowWatermark is how many bytes fit on all data nodes together before
	// each comes to its high watermark, past which OpenSearch moves shards away.
	FreeBelowWatermark int64
	// Watermark is cluster.routing.allocation.disk.watermark.high, a share of the
	// disk or the bytes to leave free; "off" where the cluster heeds none.
	Watermark string
}

// Disk returns how much room the cluster has. Nodes that share one disk each count
// it.
func (c *Client) Disk(ctx context.Context) (DiskSpace, error) {
	watermark, err := c.highWatermark(ctx)
	if err != nil {
		return DiskSpace{}, err
	}
	space := DiskSpace{Watermark: watermark}
	var answer struct {
		Nodes map[string]struct {
			Roles []string `json:"roles"`
			FS    struct {
				Total struct {
					Size      int64 `json:"total_in_bytes"`
					Available int64 `json:"available_in_bytes"`
				} `json:"total"`
			} `json:"fs"`
		} `json:"nodes"`
	}
	stats := opensearchapi.NodesStatsRequest{Metric: []string{"fs"}, FilterPath: []string{"nodes.*.roles", "nodes.*.fs.total"}}
	if err := c.ask(ctx, stats, &answer); err != nil {
		return DiskSpace{}, fmt.Errorf("ask for the nodes' disks: %w", err)
	}
	for _, node := range answer.Nodes {
		if !slices.Contains(node.Roles, "data") {
			continue
		}
		reserve, err := reserved(watermark, node.FS.Total.Size)
		if err != nil {
			return DiskSpace{}, err
		}
		space.FreeBelowWatermark += max(0, node.FS.Total.Available-reserve)
	}
	return space, nil
}

// highWatermark returns the setting that counts, "off" where none does.
func (c *Client) highWatermark(ctx context.Context) (string, error) {
	type settings struct {
		Cluster struct {
			Routing struct {
				Allocation struct {
					Disk struct {
						Enabled   string `json:"threshold_enabled"`
						Watermark struct {
							High string `json:"high"`
						} `json:"watermark"`
					} `json:"disk"`
				} `json:"allocation"`
			} `json:"routing"`
		} `json:"cluster"`
	}
	var answer struct {
		Defaults   settings `json:"defaults"`
		Persistent settings `json:"persistent"`
		Transient  settings `json:"transient"`
	}
	withDefaults := true
	ask := opensearchapi.ClusterGetSettingsRequest{IncludeDefaults: &withDefaults, FilterPath: []string{"*.cluster.routing.allocation.disk"}}
	if err := c.ask(ctx, ask, &answer); err != nil {
		return "", fmt.Errorf("ask for the disk watermark: %w", err)
	}
	enabled, high := "", ""
	for _, s := range []settings{answer.Defaults, answer.Persistent, answer.Transient} { // the last one counts
		disk := s.Cluster.Routing.Allocation.Disk
		if disk.Enabled != "" {
			enabled = disk.Enabled
		}
		if disk.Watermark.High != "" {
			high = disk.Watermark.High
		}
	}
	if enabled == "false" {
		return "off", nil
	}
	return high, nil
}

// reserved returns the bytes of a disk that the watermark leaves free. It is
// written as the share that may be used, "90%" or "0.9", or as the bytes to leave
// free, "20gb".
func reserved(watermark string, size int64) (int64, error) {
	if watermark == "off" {
		return 0, nil
	}
	text := strings.ToLower(watermark)
	if share, ok := strings.CutSuffix(text, "%"); ok {
		if used, err := strconv.ParseFloat(share, 64); err == nil {
			return size - int64(float64(size)*used/100), nil
		}
	}
	if used, err := strconv.ParseFloat(text, 64); err == nil {
		return size - int64(float64(size)*used), nil
	}
	for i, unit := range []string{"kb", "mb", "gb", "tb", "pb", "b"} {
		number, ok := strings.CutSuffix(text, unit)
		free, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil {
			continue
		}
		if unit == "b" {
			return int64(free), nil
		}
		return int64(free * float64(int64(1)<<(10*(i+1)))), nil
	}
	return 0, fmt.Errorf("disk watermark %q is neither a share nor bytes", watermark)
}
