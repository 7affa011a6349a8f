package view

import (
	"fmt"

	"github.com/envctl/envctl/internal/event"
)

// Parts says how far the layers of an image are: "5/14 layers, 51.2 of 123.0 MB".
func Parts(parts []event.Part) string {
	var done int
	var came, total int64
	more := "" // the engine does not say how large a layer is before it begins with it
	for _, p := range parts {
		if p.State == event.PartDone {
			done++
		} else if p.Total == 0 {
			more = "+"
		}
		came, total = came+p.Came(), total+p.Total
	}
	text := fmt.Sprintf("%d/%s", done, layers(len(parts)))
	if done == len(parts) {
		text = layers(done)
	}
	switch {
	case total == 0:
		return text
	case done == len(parts):
		return text + ", " + Size(total)
	}
	size, unit := inUnit(total)
	return fmt.Sprintf("%s, %.1f of %.1f%s %s", text, size*float64(came)/float64(total), size, more, unit)
}

func layers(n int) string {
	if n == 1 {
		return "1 layer"
	}
	return fmt.Sprintf("%d layers", n)
}

// unpackShare is how much of the way of a layer its unpacking counts for.
const unpackShare = 0.4

// Share is how much of the whole way of all layers lies behind them, from 0 to 1. One whose size is not known yet counts
// as the others do on average.
func Share(parts []event.Part) float64 {
	var known, sum float64
	for _, p := range parts {
		if p.Total > 0 {
			known++
			sum += float64(p.Total)
		}
	}
	mean := 1.0
	if known > 0 {
		mean = sum / known
	}
	var way, all float64
	for _, p := range parts {
		size := float64(p.Total)
		if p.Total == 0 {
			if p.State == event.PartDone {
				continue // it was there
			}
			size = mean
		}
		all += size
		way += size * partShare(p)
	}
	if all == 0 {
		return 0
	}
	return way / all
}

// partShare is how much of the way of one layer, download and unpacking, lies behind it.
func partShare(p event.Part) float64 {
	of := 0.0
	if p.Total > 0 {
		of = min(1, max(0, float64(p.Current)/float64(p.Total)))
	}
	switch p.State {
	case event.PartDownloading:
		return (1 - unpackShare) * of
	case event.PartDownloaded:
		return 1 - unpackShare
	case event.PartUnpacking:
		return 1 - unpackShare + unpackShare*of
	case event.PartDone:
		return 1
	}
	return 0
}

// Size gives a number of bytes as a person reads it, in powers of 1000.
func Size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	size, unit := inUnit(n)
	return fmt.Sprintf("%.1f %s", size, unit)
}

func inUnit(n int64) (size float64, unit string) {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	size, i := float64(n), 0
	for size >= 1000 && i < len(units)-1 {
		size, i = size/1000, i+1
	}
	return size, units[i]
}
