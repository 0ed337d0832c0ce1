package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Verdict is what Verify found.
type Verdict struct {
	Lines      uint64
	First      uint64 // number of the first line
	Head       Head   // of the last good line
	Seen       bool   // whether the head that was asked for is one of the lines
	Broken     *Broken
	Unfinished bool // the last file ends in a part of a line, as after a crash; the node puts that aside when it starts
}

// Broken is the first line that does not fit.
type Broken struct {
	File string
	Line int // from 1
	Why  string
}

// Verify reads files of a log, the oldest first, and checks that each line carries the hash of the one before. known is a head that was
// noted earlier, or empty: a chain alone does not show that its newest lines were taken away. The error is that of reading.
func Verify(files []string, known string) (Verdict, error) {
	v := verifier{known: strings.ToLower(known)}
	for i, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return v.Verdict, err
		}
		err = v.file(name, f, i == len(files)-1)
		if err = errors.Join(err, f.Close()); err != nil {
			return v.Verdict, fmt.Errorf("read %q: %w", name, err)
		}
		if v.Broken != nil {
			break
		}
	}
	return v.Verdict, nil
}

type verifier struct {
	Verdict
	known string
	head  hash
}

func (v *verifier) file(name string, f io.Reader, last bool) error {
	r := bufio.NewReaderSize(f, backwardsStep)
	for n := 1; v.Broken == nil; n++ {
		text, err := boundedLine(r)
		switch {
		case errors.Is(err, errLongLine):
			v.Broken = &Broken{name, n, err.Error()}
			return nil
		case errors.Is(err, io.EOF) && len(text) == 0:
			return nil
		case errors.Is(err, io.EOF) && last:
			v.Unfinished = true
			return nil
		case errors.Is(err, io.EOF):
			v.Broken = &Broken{name, n, "the file ends in the middle of this line, and the chain goes on in another file"}
			return nil
		case err != nil:
			return err
		}
		if why := v.line(text); why != "" {
			v.Broken = &Broken{name, n, why}
		}
	}
	return nil
}

// line checks one line, and returns why it does not fit.
func (v *verifier) line(text []byte) string {
	l, err := ReadLine(text)
	switch {
	case err != nil:
		return err.Error()
	case v.Lines == 0 && l.Seq == 1 && l.Prev != (hash{}).String():
		return "the first line of all carries the hash of another one"
	case v.Lines > 0 && l.Seq != v.Head.Seq+1:
		return fmt.Sprintf("it is line %d of the log, and the one before is %d: lines are missing, or in another order", l.Seq, v.Head.Seq)
	case v.Lines > 0 && l.Prev != v.head.String():
		return fmt.Sprintf("it does not carry the hash of line %d: one of the two was changed", v.Head.Seq)
	}
	if v.Lines == 0 {
		v.First = l.Seq
	}
	v.Lines++
	v.head = hashOf(text)
	v.Head = Head{Seq: l.Seq, Hash: v.head.String()}
	if v.known != "" && (v.Head.Hash == v.known || l.Prev == v.known) {
		v.Seen = true
	}
	return ""
}

// boundedLine reads a line without its end. With io.EOF the text is what stands behind the last end.
func boundedLine(r *bufio.Reader) ([]byte, error) {
	var out []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(out)+len(part) > MaxLine+1 {
			return nil, errLongLine
		}
		out = append(out, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return out, err
		default:
			return out[:len(out)-1], nil
		}
	}
}
