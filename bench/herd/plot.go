package main

import (
	"bytes"
	"fmt"
	"time"
)

// plotted is the case in the plot.
func plotted() Case {
	return Case{Weights: []int{1, 1, 1, 1}, Report: 5 * time.Second, Life: 5 * time.Second, Measured: 60 * time.Second, Seed: 1}
}

// Sizes of the plot in its own units.
const (
	plotWidth  = 640
	plotHeight = 190
	plotLeft   = 44
	plotTop    = 26
	plotGap    = 46
	plotMost   = 4.0 // utilisation by the mean at the top
)

var plotColours = []string{"#1f6f8b", "#c8553d", "#588157", "#7b5ea7"}

// plot draws both choices of one case, one above the other. No text depends on fonts being there.
func plot(c Case) ([]byte, error) {
	var b bytes.Buffer
	height := 2*(plotHeight+plotTop) + plotGap + 40
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", plotLeft+plotWidth+16, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	top := plotTop
	for _, panel := range []struct {
		choice Choice
		title  string
	}{
		{Ours, "Fairlead: least-connection, with the connections that answers since the report will bring"},
		{Naive, "The least report wins until the next one"},
	} {
		r, err := Simulate(c, panel.choice)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" font-size="12">%s: spread %.2f</text>`+"\n", plotLeft, top-8, panel.title, r.Spread)
		drawPanel(&b, c, r, top)
		top += plotHeight + plotTop + plotGap
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">seconds; %d services, load read every %v, connections last %v, TTL 5s; utilisation by the mean of all</text>`+"\n</svg>\n",
		plotLeft, height-8, len(c.Weights), c.Report, c.Life)
	return b.Bytes(), nil
}

// drawPanel draws the axes and a line for each service.
func drawPanel(b *bytes.Buffer, c Case, r Result, top int) {
	y := func(v float64) float64 { return float64(top) + plotHeight*(1-min(v, plotMost)/plotMost) }
	for v := 0.0; v <= plotMost; v++ {
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
			plotLeft, plotLeft+plotWidth, y(v), y(v), plotLeft-6, y(v)+4, v)
	}
	seconds := int(c.Measured.Seconds())
	for at := 0; at <= seconds; at += 10 {
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%d</text>`+"\n", plotLeft+plotWidth*at/seconds, top+plotHeight+14, at)
	}
	services := len(c.Weights)
	samples := len(r.Curves) / services
	for i := range services {
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.3" points="`, plotColours[i%len(plotColours)])
		for n := 0; n < samples; n += 2 {
			fmt.Fprintf(b, "%.1f,%.1f ", plotLeft+plotWidth*float64(n)/float64(samples-1), y(r.Curves[n*services+i]))
		}
		b.WriteString("\"/>\n")
	}
}
