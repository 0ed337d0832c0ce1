package probe

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"

	"fairlead/config"
	"fairlead/monitors/reason"
	"fairlead/monitors/trust"
)

// Limits of one call.
const (
	maxGRPCAnswer = 4 << 10 // of a HealthCheckResponse, which needs two bytes
	grpcPrefix    = 5       // of a message: compressed (1), length (4)
)

// servingStatus are the values of HealthCheckResponse.ServingStatus.
var servingStatus = []string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}

// grpcStatus are the codes of calls.
var grpcStatus = []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

// askGRPC calls grpc.health.v1.Health/Check and passes when the service is SERVING.
func (x *exchange) askGRPC() error {
	g := config.SectionOf(x.monitor.GRPC)
	conn, err := x.openGRPC(g)
	if err != nil {
		return err
	}
	in := &boundedReader{r: conn, left: maxHeadBytes}
	s, err := x.request2(conn, in, x.grpcHead(g), checkRequest(g.Service))
	if err != nil {
		return err
	}
	status, fields, err := s.head()
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return unlike("status %d, want 200 of a gRPC server", status)
	}
	if kind := field(fields, "content-type"); !strings.HasPrefix(kind, "application/grpc") {
		return unlike("content type %s is not that of a gRPC server", reason.Quote(kind))
	}
	message, readErr := io.ReadAll(io.LimitReader(s, maxGRPCAnswer+1))
	if readErr != nil {
		return reason.During(reason.Body, readErr)
	}
	if len(message) > maxGRPCAnswer {
		return fmt.Errorf("answer above %d KiB", maxGRPCAnswer>>10)
	}
	return x.judgeGRPC(cmp.Or(field(s.trailer, "grpc-status"), field(fields, "grpc-status")), cmp.Or(field(s.trailer, "grpc-message"), field(fields, "grpc-message")), message)
}

func (x *exchange) openGRPC(g *config.GRPCProbe) (net.Conn, error) {
	conn, err := x.dial("tcp", 0)
	if err != nil || x.monitor.Security != config.SecurityTLS {
		return conn, err
	}
	secure, err := x.secure2(conn, trust.HostName(g.Authority))
	if err != nil {
		return nil, err
	}
	return secure, nil
}

// grpcHead are the headers of the call.
func (x *exchange) grpcHead(g *config.GRPCProbe) []hpack.HeaderField {
	scheme := "http"
	if x.monitor.Security == config.SecurityTLS {
		scheme = "https"
	}
	left := max(time.Until(x.deadline).Milliseconds(), 1)
	return []hpack.HeaderField{
		{Name: ":method", Value: http.MethodPost}, {Name: ":scheme", Value: scheme}, {Name: ":path", Value: "/grpc.health.v1.Health/Check"},
		{Name: ":authority", Value: cmp.Or(g.Authority, x.target.Endpoint(0).String())},
		{Name: "te", Value: "trailers"}, {Name: "content-type", Value: "application/grpc"}, {Name: "user-agent", Value: userAgent},
		{Name: "grpc-timeout", Value: strconv.FormatInt(left, 10) + "m"},
	}
}

func field(fields []hpack.HeaderField, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// judgeGRPC judges what a server said. A call that failed was answered, too.
func (x *exchange) judgeGRPC(code, text string, message []byte) error {
	n, err := strconv.Atoi(code)
	if err != nil || n < 0 {
		return errors.New("answer without a gRPC status")
	}
	if n != 0 {
		name := strconv.Itoa(n)
		if n < len(grpcStatus) {
			name = grpcStatus[n]
		}
		if plain, err := url.PathUnescape(text); err == nil {
			text = plain
		}
		if text != "" {
			return unlike("gRPC status %s: %s", name, text)
		}
		return unlike("gRPC status %s", name)
	}
	status, err := readCheckResponse(message)
	if err != nil {
		return fmt.Errorf("malformed health answer: %w", err)
	}
	name := strconv.FormatUint(status, 10)
	if status < uint64(len(servingStatus)) {
		name = servingStatus[status]
	}
	if x.text([]byte(name)) {
		return nil
	}
	if name != "SERVING" {
		return unlike("%s, want SERVING", name)
	}
	x.passes("SERVING")
	return nil
}

// checkRequest is a HealthCheckRequest{service} as a message of gRPC.
func checkRequest(service string) []byte {
	body := []byte{}
	if service != "" {
		body = append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service))), service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
}

// readCheckResponse reads the status of a HealthCheckResponse. Fields that it does not know are passed over; the last status counts.
func readCheckResponse(b []byte) (uint64, error) {
	if len(b) < grpcPrefix {
		return 0, io.ErrUnexpectedEOF
	}
	if b[0] != 0 {
		return 0, errors.New("it is compressed, unasked")
	}
	if n := binary.BigEndian.Uint32(b[1:]); uint64(n) != uint64(len(b)-grpcPrefix) {
		return 0, errors.New("it is not one message")
	}
	status := uint64(0)
	for b = b[grpcPrefix:]; len(b) > 0; {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, io.ErrUnexpectedEOF
		}
		b = b[n:]
		value, size, err := wireField(b, tag&7)
		if err != nil {
			return 0, err
		}
		if tag == 1<<3 {
			status = value
		}
		b = b[size:]
	}
	return status, nil
}

// wireField returns how long a field of a wire type is, and its value if it is a varint.
func wireField(b []byte, wireType uint64) (value uint64, size int, err error) {
	switch wireType {
	case 0:
		value, size = binary.Uvarint(b)
	case 1:
		size = 8
	case 2:
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return 0, 0, io.ErrUnexpectedEOF
		}
		size = n + int(length)
	case 5:
		size = 4
	default:
		return 0, 0, fmt.Errorf("wire type %d", wireType)
	}
	if size <= 0 || size > len(b) {
		return 0, 0, io.ErrUnexpectedEOF
	}
	return value, size, nil
}
