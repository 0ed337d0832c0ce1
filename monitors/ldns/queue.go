package ldns

// queue is first in, first out. The zero queue is empty. Its owner bounds it.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) len() int { return len(q.items) - q.head }
func (q *queue[T]) first() T { return q.items[q.head] }

func (q *queue[T]) push(t T) {
	if q.head > len(q.items)/2 && len(q.items) == cap(q.items) { // room at the front first
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, t)
}

// pop takes the first; ok is false when there is none.
func (q *queue[T]) pop() (t T, ok bool) {
	if q.len() == 0 {
		return t, false
	}
	var zero T
	t, q.items[q.head] = q.items[q.head], zero
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return t, true
}
