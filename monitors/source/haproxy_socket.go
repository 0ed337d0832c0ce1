package source

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// haproxy reads a backend over HTTP or from the stats socket.
func (r *Reader) haproxy(ctx context.Context, src *config.LoadSource) (Reading, error) {
	network, address := "", ""
	if path, ok := strings.CutPrefix(src.URL, "unix://"); ok {
		network, address = "unix", path
	} else if strings.HasPrefix(src.URL, "tcp://") {
		u, err := url.Parse(src.URL)
		if err != nil {
			return Reading{}, withoutURL(err)
		}
		network, address = "tcp", u.Host
	}
	if network == "" {
		return r.page(ctx, src, maxPage, readHAProxy)
	}
	var out Reading
	err := r.command(ctx, network, address, "show stat\n", func(answer io.Reader) (err error) {
		out, err = readHAProxy(answer, src)
		return err
	})
	if err != nil {
		return Reading{}, err
	}
	return out, nil
}

// command sends a command to a stats socket (management guide, 9.3) and hands the answer, of at most maxPage bytes, to take. HAProxy closes
// after the answer to one command; nothing more can be asked on a side that is closed, whatever the command was.
func (r *Reader) command(ctx context.Context, network, address, command string, take func(io.Reader) error) error {
	conn, err := r.opts.DialContext(ctx, network, address)
	if err != nil {
		return reason.During(reason.Connect, err)
	}
	defer conn.Close()
	step(ctx, "connect", address)
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, command); err != nil {
		return reason.During(reason.Answer, err)
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it may have answered and closed already
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(conn, first); err != nil {
		return reason.During(reason.Answer, fmt.Errorf("stats socket: %w", err))
	}
	answer := io.MultiReader(strings.NewReader(string(first)), conn)
	step(ctx, "first byte", "")
	body := &boundedBody{r: answer, left: maxPage, limit: maxPage}
	err = take(body)
	step(ctx, "answer", fmt.Sprintf("%d bytes", maxPage-body.left))
	return err
}
