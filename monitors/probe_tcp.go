package monitors

import (
	"context"
	"time"
)

// askTCP passes when the connection is established. Nothing is sent, nothing is read.
func (p *prober) askTCP(ctx context.Context, t Target) (answer, error) {
	conn, err := p.connect(ctx, t)
	if err != nil {
		return answer{}, err
	}
	first := time.Now()
	conn.Close() // the connection was the answer; how its end goes says nothing
	return answer{reason: "connected", first: first}, nil
}
