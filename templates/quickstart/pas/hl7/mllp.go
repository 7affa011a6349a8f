package hl7

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MLLP's block characters, HL7 Transport Specification: MLLP release 1, section 2.
const (
	blockStart = 0x0b
	blockEnd   = 0x1c
	blockTail  = 0x0d
)

// MaxMessage is the longest message that ReadBlock takes, in bytes.
const MaxMessage = 1 << 20

// ReadBlock gives the next message of a stream; io.EOF where it ends between two. What stands between
// blocks is skipped, as the specification asks.
func ReadBlock(r *bufio.Reader) ([]byte, error) {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if b == blockStart {
			break
		}
	}
	var message []byte
	for {
		b, err := r.ReadByte()
		if err != nil {
			return nil, cutOff(err)
		}
		if b == blockEnd {
			next, err := r.ReadByte()
			if err != nil {
				return nil, cutOff(err)
			}
			if next == blockTail {
				return message, nil
			}
			message = append(message, b)
			b = next
		}
		if len(message) >= MaxMessage {
			return nil, fmt.Errorf("a message of over %d bytes", MaxMessage)
		}
		message = append(message, b)
	}
}

// WriteBlock sends one message.
func WriteBlock(w io.Writer, message []byte) error {
	block := bytes.NewBuffer(make([]byte, 0, len(message)+3))
	block.WriteByte(blockStart)
	block.Write(message)
	block.Write([]byte{blockEnd, blockTail})
	_, err := w.Write(block.Bytes())
	return err
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
