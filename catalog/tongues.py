"""Verbs of other languages that tools are named in. Data; words that English has, too, are left out."""

from typing import Final

# Portuguese and Spanish, French, German, Italian, Turkish; as they are written without accents.
READS: Final = """
    analise analisis avaliador berechnung calculadora calculo comparacion descricao descripcion detalhes
    detalles estimativa evaluador historial historico informacion informacoes precio precios resumen
    resumo simulador ubersicht obter obtener consultar consulta buscar busca listar lista pesquisar
    pesquisa mostrar mostra exibir apresenta visualizar verificar validar calcular conferir leer ler
    chercher rechercher recherche obtenir afficher lire lister voir verifier suchen suche finden zeigen
    zeige abrufen auflisten lesen pruefen cercare cerca leggi leggere elenca ottieni goster listele getir
    hesapla sorgula bul obtiene obtem devuelve retorna muestra verifica valida calcula analiza analizar
    analisa analisar compara comparar extrae extraer extrai extrair descarga descargar audita auditar
    revisa revisar resumir explica explicar encuentra encontrar encontra recupera recuperar traduce
    traducir traduz traduzir evalua evaluar avalia avaliar detecta detectar identifica identificar estima
    estimar recupere recuperer retourne retourner renvoie renvoyer affiche calcule calculer analyse
    analyser telecharge telecharger verifie traduit traduire gibt liefert holt ruft listet sucht findet
    zeigt liest pruft prueft berechnet ermittelt analysiert ubersetzt restituisce recupera elencare
    calcola calcolare visualizza ottenere confronta haalt geeft zoekt toont
"""
WRITES: Final = """
    criar cria crear crea adicionar adiciona agregar anadir inserir actualizar atualizar atualiza editar
    edita alterar modificar enviar envia salvar guardar cadastrar registrar agendar creer ajouter
    modifier envoyer enregistrer mettre erstellen erstelle hinzufuegen aendern aktualisieren senden
    speichern aggiungi aggiorna modifica invia salva olustur ekle guncelle duzenle gonder kaydet
    degistir ayarla genera generar gerar anade agrega inserta guarda registra publica publicar configura
    configurar cancela cancelar responde responder asigna asignar sube subir importa importar renombra
    copia copiar mueve cree ajoute modifie envoie enregistre genere generer publie annule annuler
    erstellt aktualisiert sendet speichert andert aendert fugt fuegt setzt legt veroffentlicht
    aggiornare creare inviare salvare maakt stuurt
"""
EXECUTES: Final = """
    executar executa ejecutar ejecuta iniciar inicia parar detener detiene reiniciar reinicia lancer demarrer
    demarre arreter arrete executer starten startet stoppt fuhrt fuehrt ausfuehren esegue eseguire avvia
    calistir
"""
DESTROYS: Final = """
    eliminar elimina excluir exclui apagar borrar deletar remover supprimer effacer loeschen entfernen
    cancella sil kaldir borra supprime efface loscht loescht entfernt eliminare verwijdert
"""
PAYS: Final = """
    pagar paga comprar compra transferir transfiere transfere cobrar reembolsar estornar bezahlen acquista
"""

# What is written without spaces, Chinese, Japanese and Korean, and the beginnings of Russian verbs: the first
# that stands in a sentence.
UNSPACED: Final[dict[str, str]] = {
    word: verb
    for verb, words in {
        "get": "获取 獲取 取得 查询 查詢 查看 列出 搜索 搜尋 分析 计算 計算 读取 讀取 检索 检查 返回 获得 "
        "统计 解析 検索 表示 一覧 確認 参照 조회 검색 가져 확인 반환 목록 계산 분석 "
        "比较 比較 推荐 推薦 诊断 評估 评估 监控 预测 提取 翻译 翻譯 下载 导出 显示 找到 "
        "получ найти поиск показ список возвращ чита провер анализ",
        "create": "创建 創建 新建 添加 新增 更新 修改 编辑 發送 发送 上传 设置 保存 生成 写入 发布 插入 "
        "作成 追加 編集 変更 送信 投稿 登録 설정 생성 추가 수정 전송 저장 보내 등록 "
        "导入 回复 标记 移动 复制 重命名 配置 上傳 созда добав обнов измен отправ сохран",
        "execute": "执行 執行 运行 啟動 启动 停止 调用 点击 実行 起動 開始 실행 시작 중지 "
        "重启 部署 触发 запус выполн остан",
        "delete": "删除 刪除 移除 清空 清除 削除 삭제 제거 удал очист",
        "pay": "支付 付款 转账 退款 购买 送金 결제 송금 оплат",
    }.items()
    for word in words.split()
}
