package main

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// chart is lines over a common axis of names.
type chart struct {
	title, unit string
	lines       []line
}

type line struct {
	name   string
	points []point
}

type point struct {
	x string
	y float64
}

// fits reports whether there is a line to draw.
func (c chart) fits() bool {
	return slices.ContainsFunc(c.lines, func(l line) bool { return len(l.points) > 1 })
}

// Where the lines are drawn, in pixels.
const (
	chartWidth, chartHeight = 760, 360
	left, right             = 60, 560
	top, bottom             = 40, 320
	gridLines               = 4
)

// colours are readable on light and on dark; lines differ by their marks, too.
var colours = []string{"#2563eb", "#c2410c", "#15803d", "#a21caf"}

// svg draws the chart. The names of the lines stand at their right, so that no colour must be told from another.
func (c chart) svg() string {
	c.lines = slices.DeleteFunc(slices.Clone(c.lines), func(l line) bool { return len(l.points) < 2 })
	slices.SortFunc(c.lines, func(a, b line) int { return cmp.Compare(b.points[len(b.points)-1].y, a.points[len(a.points)-1].y) })
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" font-family="system-ui, sans-serif" font-size="12">`, chartWidth, chartHeight, html.EscapeString(c.title))
	s.WriteString("\n<style>text{fill:#334155}.grid{stroke:#94a3b8;stroke-opacity:.4}@media (prefers-color-scheme:dark){text{fill:#cbd5e1}}</style>\n")
	fmt.Fprintf(&s, "<text x=\"%d\" y=\"20\" font-size=\"14\">%s</text>\n", left, html.EscapeString(c.title))
	highest := c.highest()
	for i := range gridLines + 1 {
		value := highest * float64(i) / gridLines
		y := height(value, highest)
		fmt.Fprintf(&s, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.0f\" y2=\"%.0f\"/><text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%.4g</text>\n", left, right, y, y, left-8, y+4, value)
	}
	for i, p := range c.lines[0].points {
		fmt.Fprintf(&s, "<text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", c.across(i), bottom+20, html.EscapeString(p.x))
	}
	at := math.Inf(-1)
	for i, l := range c.lines {
		at = max(height(l.points[len(l.points)-1].y, highest)+4, at+14) // names must not cover each other
		c.draw(&s, l, colours[i%len(colours)], highest, at)
	}
	return s.String() + "</svg>\n"
}

func (c chart) draw(s *strings.Builder, l line, colour string, highest, nameAt float64) {
	var path []string
	for i, p := range l.points {
		x, y := c.across(i), height(p.y, highest)
		path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
		fmt.Fprintf(s, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>%s, %s: %.4g %s</title></circle>\n", x, y, colour, html.EscapeString(l.name), html.EscapeString(p.x), p.y, c.unit)
	}
	fmt.Fprintf(s, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"%s\"/>\n", colour, strings.Join(path, " "))
	fmt.Fprintf(s, "<text x=\"%d\" y=\"%.0f\" style=\"fill:%s\">%s: %.4g</text>\n", right+10, nameAt, colour, html.EscapeString(l.name), l.points[len(l.points)-1].y)
}

func (c chart) across(i int) float64 {
	return left + float64(right-left)*(float64(i)+0.5)/float64(len(c.lines[0].points))
}

func height(value, highest float64) float64 { return bottom - (bottom-top)*value/highest }

// highest is a round number that no point is above.
func (c chart) highest() float64 {
	most := 1e-9
	for _, l := range c.lines {
		for _, p := range l.points {
			most = max(most, p.y)
		}
	}
	unit := math.Pow(10, math.Floor(math.Log10(most)))
	for _, round := range []float64{1, 2, 4, 5, 8, 10} {
		if most <= round*unit {
			return round * unit
		}
	}
	return 10 * unit
}
