package sandbox

import (
	"time"

	"github.com/castor-iot/castor/shared/driver"
)

// A job is the calls of one Run.
type job struct {
	codec   *codec
	calls   []driver.Call
	results []driver.Result
	at      int  // how many have results
	again   bool // its worker has ended once while it held other drivers, too
	gone    bool
	err     error
	done    chan struct{}
}

func (j *job) left() int { return len(j.calls) - j.at }

// A queue is what waits for one driver, and what the driver has cost. The driver that has cost least is served next, so that
// one that is slow, or has very many messages, does not hold up the others.
type queue struct {
	jobs   []*job
	active int           // workers that serve it
	cost   time.Duration // that workers have spent on it
	mean   time.Duration // of one call, about
	made   int           // calls so far, up to proof
	barred time.Time     // until when it has the last worker only
}

// may tells whether the worker at a place may serve the queue, while others might want it. One driver never has all workers: where it
// has been quick all but one, else a single one. Of three or more workers the first is for those that have been quick, so that however
// many drivers are new, slow or hang at a time, what is quick is served. A driver that cost a worker lately has the last one only.
func (p *Pool) may(place int, q *queue, now time.Time) bool {
	last := p.config.Workers - 1
	switch {
	case last == 0:
		return true
	case now.Before(q.barred):
		return place == last
	case q.made < proof || q.mean > slice:
		return (place != 0 || last == 1) && q.active == 0
	default:
		return q.active < last
	}
}

const (
	slice    = 10 * time.Millisecond // for which a worker stays with a driver while others wait
	maxSlice = 128                   // calls
	maxIdle  = 1_000                 // drivers whose cost is remembered
	proof    = 50                    // calls after which it is believed that a driver is quick
)

func (p *Pool) put(j *job) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	q := p.queues[j.codec.key]
	if q == nil {
		p.forget()
		q = &queue{cost: p.least(), mean: 100 * time.Microsecond}
		p.queues[j.codec.key] = q
	}
	if len(q.jobs) == 0 && q.active == 0 {
		q.cost = max(q.cost, p.least()) // who was idle has saved nothing up
	}
	q.jobs = append(q.jobs, j)
	p.wake.Broadcast() // not every worker may serve it, and Signal might wake another
	return nil
}

// least is the smallest cost of those who wait or are served.
func (p *Pool) least() (least time.Duration) {
	first := true
	for _, q := range p.queues {
		if (len(q.jobs) > 0 || q.active > 0) && (first || q.cost < least) {
			least, first = q.cost, false
		}
	}
	return least
}

func (p *Pool) forget() {
	if len(p.queues) < maxIdle {
		return
	}
	now := p.config.Now()
	for key, q := range p.queues {
		if len(q.jobs) == 0 && q.active == 0 && now.After(q.barred) {
			delete(p.queues, key)
		}
	}
}

// leave takes a job out of its queue, if nobody serves it.
func (p *Pool) leave(j *job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j.gone = true
	q := p.queues[j.codec.key]
	for i, other := range q.jobs {
		if other == j {
			q.jobs = append(q.jobs[:i], q.jobs[i+1:]...)
			close(j.done)
			return
		}
	}
}

// next waits for work for the worker at a place: a job, and how many of its calls are to be made now. A nil job is the end.
func (p *Pool) next(place int) (*job, *queue, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.closed {
			for _, q := range p.queues {
				for _, j := range q.jobs {
					j.err = errClosed
					close(j.done)
				}
				q.jobs = nil
			}
			return nil, nil, 0
		}
		now := p.config.Now()
		var best *queue
		for _, q := range p.queues {
			if len(q.jobs) == 0 || !p.may(place, q, now) {
				continue
			}
			if best == nil || q.cost < best.cost {
				best = q
			}
		}
		if best != nil {
			j := best.jobs[0]
			best.jobs = best.jobs[1:]
			best.active++
			n := min(max(int(slice/max(best.mean, time.Microsecond)), 1), maxSlice, j.left())
			return j, best, n
		}
		p.wake.Wait()
	}
}

// A visit is how long a worker computed for a driver: for all, and for its calls alone. It is the processor's time: a machine that is
// busy with something else makes no driver slow.
type visit struct{ all, calls time.Duration }

// settle takes note of a worker's visit, in which calls were made. guilty tells that the driver misbehaved.
func (p *Pool) settle(j *job, q *queue, made int, cost visit, guilty bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q.active--
	q.cost += cost.all
	if made > 0 {
		q.mean = (3*q.mean + cost.calls/time.Duration(made)) / 4
		q.made = min(q.made+made, proof)
	}
	if guilty {
		q.barred = p.config.Now().Add(p.config.Penalty)
	}
	if j.left() == 0 || j.err != nil || j.gone {
		close(j.done)
	} else {
		q.jobs = append([]*job{j}, q.jobs...)
	}
	p.wake.Broadcast()
}
