"""Verbs of other languages that tools are named in. Data; words that English has, too, are left out."""

from typing import Final

# Portuguese and Spanish, French, German, Italian, Turkish; as they are written without accents.
READS: Final = """
    obter obtener consultar consulta buscar busca listar lista pesquisar pesquisa mostrar mostra exibir
    apresenta visualizar verificar validar calcular conferir leer ler
    chercher rechercher recherche obtenir afficher lire lister voir verifier
    suchen suche finden zeigen zeige abrufen auflisten lesen pruefen
    cercare cerca leggi leggere elenca ottieni
    goster listele getir hesapla sorgula bul
"""
WRITES: Final = """
    criar cria crear crea adicionar adiciona agregar anadir inserir actualizar atualizar atualiza editar edita
    alterar modificar enviar envia salvar guardar cadastrar registrar agendar
    creer ajouter modifier envoyer enregistrer mettre
    erstellen erstelle hinzufuegen aendern aktualisieren senden speichern
    aggiungi aggiorna modifica invia salva
    olustur ekle guncelle duzenle gonder kaydet degistir ayarla
"""
EXECUTES: Final = "executar executa ejecutar iniciar inicia parar lancer demarrer starten ausfuehren calistir"
DESTROYS: Final = """
    eliminar elimina excluir exclui apagar borrar deletar remover supprimer effacer loeschen entfernen
    cancella sil kaldir
"""
PAYS: Final = "pagar paga comprar compra transferir cobrar reembolsar estornar bezahlen acquista"

# What is written without spaces, Chinese, Japanese and Korean: the first that stands in a sentence.
UNSPACED: Final[dict[str, str]] = {
    word: verb
    for verb, words in {
        "get": "获取 獲取 取得 查询 查詢 查看 列出 搜索 搜尋 分析 计算 計算 读取 讀取 检索 检查 返回 获得 "
        "统计 解析 検索 表示 一覧 確認 参照 조회 검색 가져 확인 반환 목록 계산 분석",
        "create": "创建 創建 新建 添加 新增 更新 修改 编辑 發送 发送 上传 设置 保存 生成 写入 发布 插入 "
        "作成 追加 編集 変更 送信 投稿 登録 설정 생성 추가 수정 전송 저장 보내 등록",
        "execute": "执行 執行 运行 啟動 启动 停止 调用 点击 実行 起動 開始 실행 시작 중지",
        "delete": "删除 刪除 移除 清空 清除 削除 삭제 제거",
        "pay": "支付 付款 转账 退款 购买 送金 결제 송금",
    }.items()
    for word in words.split()
}
