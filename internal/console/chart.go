package console

import (
	"strconv"
	"time"
)

// chart is bars on top of each other, or lines, for each interval. What stands behind it is a table.
type chart struct {
	ID, Name, Headline, Note string
	Legend                   []legend
	Lines                    bool // else bars
	Ahead                    bool // of what comes
	Points                   []point
	Top                      string   // what the highest line stands for
	Labels                   []string // below it, from the left to the right
	Width                    int      // of the drawing, in its own units; it is chartHeight high
	Paths                    []stroke
	Empty                    bool
}

type legend struct{ Class, Name string }

type stroke struct{ Class, D string }

// point is one interval.
type point struct {
	At     time.Time
	Title  string // what is shown on hover
	Values []value
	Bars   []bar
}

type value struct {
	Class  string
	Number float64
	Text   string
}

type bar struct {
	Class      string
	X, Y, W, H float64
}

// chartHeight and barWidth are in the drawing's own units: it is stretched to its place.
const (
	chartHeight = 100
	barWidth    = 10
	barGap      = 2
)

func (c *chart) add(at time.Time, values ...value) {
	c.Points = append(c.Points, point{At: at, Values: values})
}

// finish places what was added. days says that the days matter, too.
func (c *chart) finish(zone *time.Location, days bool) {
	form := "15:04"
	if days {
		form = "Mon 15:04"
	}
	highest, text := c.highest()
	c.Width, c.Empty, c.Top = len(c.Points)*barWidth, highest == 0, text
	for i := range c.Points {
		p := &c.Points[i]
		p.Title = p.At.In(zone).Format(form)
		for j, v := range p.Values {
			if j < len(c.Legend) {
				p.Title += " · " + c.Legend[j].Name
			}
			p.Title += " " + v.Text
		}
		if highest > 0 && !c.Lines {
			p.Bars = bars(i, p.Values, highest)
		}
	}
	if highest > 0 && c.Lines {
		c.draw(highest)
	}
	for _, i := range []int{0, len(c.Points) / 2, len(c.Points) - 1} {
		c.Labels = append(c.Labels, c.Points[i].At.In(zone).Format(form))
	}
}

// highest is what the whole height stands for.
func (c *chart) highest() (number float64, text string) {
	for _, p := range c.Points {
		sum := 0.0
		for _, v := range p.Values {
			if c.Lines {
				sum = max(sum, v.Number)
			} else {
				sum += v.Number
			}
		}
		number = max(number, sum)
	}
	if c.Lines {
		return number, short(time.Duration(number * float64(time.Second)))
	}
	return number, strconv.Itoa(int(number))
}

// bars puts the values of an interval on top of each other. A value that is there is seen, however small.
func bars(i int, values []value, highest float64) (placed []bar) {
	y := float64(chartHeight)
	for _, v := range values {
		if v.Number == 0 {
			continue
		}
		h := max(v.Number/highest*chartHeight, 1)
		y = max(y-h, 0)
		placed = append(placed, bar{v.Class, float64(i*barWidth) + barGap/2, y, barWidth - barGap, h})
	}
	return placed
}

// draw makes a line of each value. It is broken where there is none.
func (c *chart) draw(highest float64) {
	for j, v := range c.Points[0].Values {
		d, drawn := "", false
		for i, p := range c.Points {
			n := p.Values[j].Number
			if n == 0 {
				drawn = false
				continue
			}
			x, y := strconv.Itoa(i*barWidth+barWidth/2), strconv.FormatFloat(chartHeight-n/highest*chartHeight, 'f', 1, 64)
			if drawn {
				d += "L" + x + " " + y
			} else {
				d += "M" + x + " " + y + "h0.1" // so that one alone is seen
			}
			drawn = true
		}
		c.Paths = append(c.Paths, stroke{v.Class, d})
	}
}

// short writes how long something took in few characters.
func short(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds()+0.5)) + " s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes()+0.5)) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours()+0.5)) + " h"
	}
	return strconv.Itoa(int(d.Hours()/24+0.5)) + " d"
}
