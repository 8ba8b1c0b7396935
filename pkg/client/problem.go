package client

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Problem is a refusal of the ingress (RFC 9457). Its code is the last part of Type and is only ever added to.
type Problem struct {
	Type     string `json:"type"` // e.g. "urn:payonce:problem:order_reused"
	Title    string `json:"title"`
	Status   int    `json:"status"` // of HTTP
	Detail   string `json:"detail"`
	Instance string `json:"instance"` // names this request in the logs of the ingress
	// Errors are all fields that are wrong.
	Errors []FieldProblem `json:"errors"`
}

// FieldProblem says what is wrong with one field.
type FieldProblem struct {
	Pointer string `json:"pointer"` // of the field in the command (RFC 6901), e.g. "/customer/name"
	Detail  string `json:"detail"`
}

// Code returns the last part of the type, e.g. "order_reused"; "" where the answer was not one of an ingress.
func (p *Problem) Code() string {
	code, ours := strings.CutPrefix(p.Type, "urn:payonce:problem:")
	if !ours {
		return ""
	}
	return code
}

// Error returns the refusal in a line.
func (p *Problem) Error() string {
	parts := []string{fmt.Sprintf("%d %s", p.Status, p.Title)}
	if len(p.Errors) == 0 && p.Detail != "" {
		parts = append(parts, p.Detail)
	}
	for _, e := range p.Errors {
		parts = append(parts, e.Pointer+" "+e.Detail)
	}
	return strings.Join(parts, ": ")
}

// problemOf reads a refusal. What something between client and ingress answered has a status only.
func problemOf(status int, body []byte) *Problem {
	var p Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code() == "" {
		p = Problem{Title: "not an answer of an ingress"}
	}
	p.Status = status
	return &p
}
