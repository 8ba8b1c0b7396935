package diamondpay

// channel is one channel of the account, signed for itself.
type channel struct {
	ID      string `json:"platform_channel_id"`
	Name    string `json:"channel_name"`
	Balance int64  `json:"balance"`
	Frozen  int64  `json:"frozen_balance"`
	Sign    string `json:"sign,omitempty"`
}

// sums are signed without the channels.
type sums struct {
	PlatformID  string `json:"platform_id"`
	Total       int64  `json:"total"` // of channels
	Balance     int64  `json:"total_balance"`
	Frozen      int64  `json:"total_frozen_balance"`
	RequestTime int64  `json:"request_time"`
}

// balanceV1 serves v1/platforms/balance.
func (p *Protocol) balanceV1(q *request) {
	total, frozen := q.account.Balance()
	one := channel{ID: channelID, Name: "ATM", Balance: p.units(total), Frozen: p.units(frozen)}
	all := sums{p.settings.PlatformID, 1, one.Balance, one.Frozen, q.account.Now().Unix()}
	var errOne, errAll error
	one.Sign, errOne = p.signAnswer(one)
	sign, errAll := p.signAnswer(all)
	if errOne != nil || errAll != nil {
		panic("diamondpay: an answer cannot fail to decode")
	}
	write(q.w, succeeded(struct {
		sums
		Channels []channel `json:"platform_channels"`
		Sign     string    `json:"sign"`
	}{all, []channel{one}, sign}))
}

// balanceV2 serves v2/platforms/balance.
func (p *Protocol) balanceV2(q *request) {
	total, frozen := q.account.Balance()
	write(q.w, succeeded(struct {
		PlatformID string `json:"platform_id"`
		Balance    int64  `json:"total_balance"`
		Frozen     int64  `json:"total_frozen_balance"`
	}{p.settings.PlatformID, p.units(total), p.units(frozen)}))
}
