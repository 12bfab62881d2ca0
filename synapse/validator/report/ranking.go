package report

func ranking(d *Data) picture    { return picture{file: RankingPNG} }
func lossSize(d *Data) picture   { return picture{file: LossSizePNG} }
func lossTime(d *Data) picture   { return picture{file: LossTimePNG} }
func synergy(d *Data) picture    { return picture{file: SynergyPNG} }
func divergence(d *Data) picture { return picture{file: DivergePNG} }
